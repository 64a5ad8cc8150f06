//! Scheme `body-sha256`: the hex HMAC-SHA256 of the raw body under the secret's text, with or without `sha256=` before it.
//!
//! What the user's own senders use (the guides "Webhook Handlers", "Webhook Integration Guide"), and every sender that signs
//! its body this way in a header of its own.

use hmac::Mac;

use super::{Outgoing, Proof, Rejected, Scheme, header, mac, matching};
use crate::{callback::Callback, secret::Secret};

/// Covers the body; neither the URL nor the time.
pub static SCHEME: Scheme = Scheme {
    name: "body-sha256",
    covers: "body",
    leaves_open: "URL, method, headers and time",
    covers_url: false,
    covers_payload: true,
    tolerance: None,
};

const PREFIX: &str = "sha256=";

/// Whether `sha256=` stands before the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// It must: it keeps the scheme apart from another that shares the header.
    Required,
    /// It may.
    Optional,
}

/// Whether the signature in that header, if any, claims to be of this scheme by its prefix.
pub fn claimed(callback: &Callback, header_name: &str) -> Result<bool, Rejected> {
    Ok(header(callback, header_name)?.is_some_and(|value| value.starts_with(PREFIX)))
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(callback: &'c Callback, header_name: &str, prefix: Prefix, secrets: &[Secret]) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, header_name)?.ok_or(Rejected::Missing)?;
    // Without a body the payload is the query, which this does not cover.
    if callback.body.is_empty() {
        return Err(Rejected::NotCovered);
    }
    let digits = match (value.strip_prefix(PREFIX), prefix) {
        (Some(digits), _) => digits,
        (None, Prefix::Optional) => value,
        (None, Prefix::Required) => return Err(Rejected::Malformed),
    };
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| Rejected::Malformed)?;
    let index = matching(secrets, |key| mac::matches(mac::sha256(key, &[&callback.body]), &given))?;
    Ok(Proof::new(callback, &SCHEME, index, &callback.body))
}

/// Adds the header that [`verify`] accepts.
pub fn sign(secret: &Secret, header_name: &str, prefix: Prefix, outgoing: &mut Outgoing) {
    let digits = hex::encode(mac::sha256(secret.bytes(), &[&outgoing.body]).finalize().into_bytes());
    let before = if prefix == Prefix::Required { PREFIX } else { "" };
    outgoing.header(header_name, format!("{before}{digits}"));
}
