//! Scheme `url-token`: the URL ends in `/t/` and a long random token, for senders that do not sign.
//!
//! The route knows the token before anything else is looked at: a wrong one is an unknown path. What is left here is the
//! [`Grant`], which only the comparison can make, and the proof that rests on it.

use super::{Outgoing, Proof, Rejected, Scheme, given, uncovered};
use crate::{callback::Callback, secret::Secret};

/// Covers nothing: who knows the URL is believed.
pub static SCHEME: Scheme = Scheme {
    name: "url-token",
    covers: "nothing: who knows the URL is believed",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    tolerance: None,
};

/// What stands before the token in the path.
pub const SEGMENT: &str = "/t/";

/// Evidence that the URL carried one of the endpoint's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant(usize);

/// Compares with all tokens in constant time.
pub fn find(tokens: &[Secret], token: &str) -> Option<Grant> {
    given(tokens, token.as_bytes()).map(Grant)
}

/// The proof that a token gives.
pub fn verify(callback: &Callback) -> Result<Proof<'_>, Rejected> {
    let Grant(index) = callback.url_token.ok_or(Rejected::Missing)?;
    Ok(Proof::new(callback, &SCHEME, index, uncovered(callback)))
}

/// Puts the token into the path, unless it is there.
pub fn sign(token: &Secret, outgoing: &mut Outgoing) {
    let (path, query) =
        outgoing.target.split_once('?').map_or((outgoing.target.as_str(), None), |(path, query)| (path, Some(query)));
    let ending = format!("{SEGMENT}{}", token.text());
    if !path.ends_with(&ending) {
        outgoing.target = query.map_or_else(|| format!("{path}{ending}"), |query| format!("{path}{ending}?{query}"));
    }
}
