//! Scheme `body-sha256`: `sha256=` and the hex HMAC-SHA256 of the raw body under the secret's text.
//!
//! What the user's own senders use (the guide "Webhook Handlers", section "Signature Verification"). The prefix is
//! mandatory: it keeps the scheme apart from Twilio's, which shares the header.

use hmac::Mac;

use super::{Outgoing, Proof, Rejected, Scheme, header, mac, matching};
use crate::{callback::Callback, secret::Secret};

/// Covers the body; neither the URL nor the time.
pub static SCHEME: Scheme = Scheme {
    name: "body-sha256",
    covers: "body",
    leaves_open: "URL, method, headers and time",
    covers_url: false,
    tolerance: None,
};

const PREFIX: &str = "sha256=";

/// Whether the signature in that header, if any, claims to be of this scheme.
pub fn claimed(callback: &Callback, header_name: &str) -> Result<bool, Rejected> {
    Ok(header(callback, header_name)?.is_some_and(|value| value.starts_with(PREFIX)))
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(callback: &'c Callback, header_name: &str, secrets: &[Secret]) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, header_name)?.ok_or(Rejected::Missing)?;
    // Without a body the payload is the query, which this does not cover.
    if callback.body.is_empty() {
        return Err(Rejected::NotCovered);
    }
    let digits = value.strip_prefix(PREFIX).ok_or(Rejected::Malformed)?;
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| Rejected::Malformed)?;
    let index = matching(secrets, |key| mac::matches(mac::sha256(key, &[&callback.body]), &given))?;
    Ok(Proof::new(callback, &SCHEME, index, &callback.body))
}

/// The header value that [`verify`] accepts.
pub fn sign(secret: &Secret, outgoing: &Outgoing<'_>) -> String {
    format!("{PREFIX}{}", hex::encode(mac::sha256(secret.bytes(), &[outgoing.body]).finalize().into_bytes()))
}
