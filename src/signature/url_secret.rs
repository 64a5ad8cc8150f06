//! Scheme `url-secret`: the query parameter `secret` (the user's guide, "Option 2: Shared Secret").

use super::{Outgoing, Proof, Rejected, Scheme, given, uncovered};
use crate::{callback::Callback, form::Form, secret::Secret};

/// Covers nothing: who knows the URL is believed.
pub static SCHEME: Scheme = Scheme {
    name: "url-secret",
    covers: "nothing: who knows the URL is believed",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    tolerance: None,
};

/// The parameter's name.
pub const PARAMETER: &str = "secret";

/// Whether a pair of a raw query is the parameter, however its name is escaped.
pub fn is_parameter(pair: &str) -> bool {
    Form::decode(pair.as_bytes()).is_some_and(|pair| pair.has(PARAMETER))
}

/// Whether the query carries a secret.
pub fn claimed(callback: &Callback) -> bool {
    Form::decode(callback.query().as_bytes()).is_some_and(|query| query.has(PARAMETER))
}

/// Compares the parameter with all secrets.
pub fn verify<'c>(callback: &'c Callback, secrets: &[Secret]) -> Result<Proof<'c>, Rejected> {
    let query = Form::decode(callback.query().as_bytes()).ok_or(Rejected::Malformed)?;
    let mut values = query.pairs().filter(|(name, _)| *name == PARAMETER.as_bytes()).map(|(_, value)| value);
    let value = values.next().ok_or(Rejected::Missing)?;
    if values.next().is_some() {
        return Err(Rejected::Repeated);
    }
    let index = given(secrets, value).ok_or(Rejected::Mismatch)?;
    Ok(Proof::new(callback, &SCHEME, index, uncovered(callback)))
}

/// Adds the parameter.
pub fn sign(secret: &Secret, outgoing: &mut Outgoing) {
    outgoing.query_parameter(PARAMETER, secret.text());
}
