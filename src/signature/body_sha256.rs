//! Scheme `body-sha256`: the hex HMAC-SHA256 of the raw body, keyed by the secret's text, with or without the prefix `sha256=`.
//!
//! Used by the senders of the integration guides ("Webhook Handlers", "Webhook Integration Guide") and by any sender that signs its
//! body this way in a header. The key is often one that also signs tokens, so a body that has the form of a token is rejected.

use super::{HmacSha256Key, Outgoing, Proof, Scheme, VerifyError, Work, header, jwt, matching, request_key};
use crate::callback::{Callback, PayloadKind};

/// Covers the body; neither the URL nor the time.
pub static SCHEME: Scheme = Scheme {
    name: "body-sha256",
    covers: "body",
    leaves_open: "URL, method, headers and time",
    covers_url: false,
    covers_payload: true,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

const PREFIX: &str = "sha256=";

/// The use of the prefix `sha256=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Distinguishes the scheme from another one that shares the header.
    Required,
    Optional,
}

/// Returns true if the signature in that header has the prefix.
pub fn is_prefixed(callback: &Callback, header_name: &str) -> Result<bool, VerifyError> {
    Ok(header(callback, header_name)?.is_some_and(|value| value.starts_with(PREFIX)))
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(
    callback: &'c Callback,
    header_name: &str,
    prefix: Prefix,
    keys: &[HmacSha256Key],
    work: &Work,
) -> Result<Proof<'c>, VerifyError> {
    let value = header(callback, header_name)?.ok_or(VerifyError::Missing)?;
    // Without a body the payload is the query, which is not covered. The signed part of a token is no body: Twilio signs tokens with the
    // same key, and their holders have its MAC.
    if callback.body.is_empty() || jwt::is_signing_input(&callback.body) {
        return Err(VerifyError::NotCovered);
    }
    let digits = match (value.strip_prefix(PREFIX), prefix) {
        (Some(digits), _) => digits,
        (None, Prefix::Optional) => value,
        (None, Prefix::Required) => return Err(VerifyError::Malformed),
    };
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| VerifyError::Malformed)?;
    let index = matching(keys, |key| key.matches(&[&callback.body], &given, work))?;
    Ok(Proof::new(callback, &SCHEME, index, request_key(&[&callback.body])))
}

/// Adds the header that [`verify`] accepts.
pub fn sign(key: &HmacSha256Key, header_name: &str, prefix: Prefix, outgoing: &mut Outgoing) {
    let digits = hex::encode(key.digest(&[&outgoing.body]));
    let before = if prefix == Prefix::Required { PREFIX } else { "" };
    outgoing.header(header_name, format!("{before}{digits}"));
}
