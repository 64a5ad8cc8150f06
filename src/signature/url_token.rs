//! Scheme `url-token`: the URL ends in `/t/` and a long random token, for senders that do not sign.

use super::{Outgoing, Proof, Scheme, VerifyError, uncovered};
use crate::{
    callback::{Callback, PayloadKind},
    secret::Secret,
    url_token::SEGMENT,
};

/// Covers nothing: any client that knows the URL is accepted.
pub static SCHEME: Scheme = Scheme {
    name: "url-token",
    covers: "nothing: any client that knows the URL is accepted",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// Verifies by the grant of the router.
pub fn verify(callback: &Callback) -> Result<Proof<'_>, VerifyError> {
    let grant = callback.url_token.ok_or(VerifyError::Missing)?;
    Ok(Proof::new(callback, &SCHEME, grant.index(), uncovered(callback)))
}

/// Appends the token to the path, unless it is there.
pub fn sign(token: &Secret, outgoing: &mut Outgoing) {
    let (path, query) =
        outgoing.target.split_once('?').map_or((outgoing.target.as_str(), None), |(path, query)| (path, Some(query)));
    let ending = format!("{SEGMENT}{}", token.text());
    if !path.ends_with(&ending) {
        outgoing.target = query.map_or_else(|| format!("{path}{ending}"), |query| format!("{path}{ending}?{query}"));
    }
}
