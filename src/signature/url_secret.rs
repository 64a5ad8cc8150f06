//! Scheme `url-secret`: the query parameter `secret` (the integration guide, "Option 2: Shared Secret").

use super::{Outgoing, Proof, Scheme, VerifyError, Work, uncovered};
use crate::{
    callback::{Callback, PayloadKind},
    form::Form,
    secret::Secret,
};

/// Covers nothing: any client that knows the URL is accepted.
pub static SCHEME: Scheme = Scheme {
    name: "url-secret",
    covers: "nothing: any client that knows the URL is accepted",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

pub const PARAMETER: &str = "secret";

/// Returns true if a pair of a raw query is the parameter, however its name is escaped.
pub fn is_parameter(pair: &str) -> bool {
    Form::decode(pair.as_bytes()).is_some_and(|pair| pair.has(PARAMETER))
}

pub fn is_present(callback: &Callback) -> bool {
    Form::decode(callback.query().as_bytes()).is_some_and(|query| query.has(PARAMETER))
}

pub fn verify<'c>(callback: &'c Callback, secrets: &[Secret], work: &Work) -> Result<Proof<'c>, VerifyError> {
    let query = Form::decode(callback.query().as_bytes()).ok_or(VerifyError::Malformed)?;
    let mut values = query.pairs().filter(|(name, _)| *name == PARAMETER.as_bytes()).map(|(_, value)| value);
    let value = values.next().ok_or(VerifyError::Missing)?;
    if values.next().is_some() {
        return Err(VerifyError::Repeated);
    }
    let index = work.position(secrets, value, |secret| secret).ok_or(VerifyError::Mismatch)?;
    Ok(Proof::new(callback, &SCHEME, index, uncovered(callback)))
}

pub fn sign(secret: &Secret, outgoing: &mut Outgoing) {
    outgoing.query_parameter(PARAMETER, secret.text());
}
