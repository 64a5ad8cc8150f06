//! Schemes `url-body-sha1` and `url-body-sha256`: hex HMAC of the public URL followed by the raw body.
//!
//! Sources: SignalWire docs "Webhook security" (`webhook-security.mdx`), signalwire-sdk 3.7.5 `webhook_validator`
//! (read 2026-11-22). Without the fallback of the SDK, which accepts a signature over the bare URL for any body.

use super::{
    HmacSha1Key, HmacSha256Key, IsListed, Joined, Outgoing, Proof, Scheme, VerifyError, Work, header, key_without_spelling,
};
use crate::{
    callback::{Callback, PayloadKind},
    public_url,
    secret::Secret,
};

/// SHA-1, in every JSON request.
pub static SHA1: Scheme = Scheme {
    name: "url-body-sha1",
    covers: "URL and body",
    leaves_open: "time; the boundary between URL and body; the method",
    covers_url: true,
    covers_payload: true,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// SHA-256, in requests about calls.
pub static SHA256: Scheme = Scheme {
    name: "url-body-sha256",
    covers: "URL and body",
    leaves_open: "time; the boundary between URL and body; the method",
    covers_url: true,
    covers_payload: true,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// Returns true if the signature in that header has the form of this scheme.
pub fn is_well_formed(callback: &Callback, header_name: &str, scheme: &'static Scheme) -> Result<bool, VerifyError> {
    let is_hex = |value: &str| value.len() == digits(scheme) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(header(callback, header_name)?.is_some_and(is_hex))
}

/// A signing key for either digest.
#[derive(Clone)]
pub struct Key {
    sha1: HmacSha1Key,
    sha256: HmacSha256Key,
}

impl Key {
    pub fn new(secret: &Secret) -> Self {
        Self { sha1: HmacSha1Key::new(secret.bytes()), sha256: HmacSha256Key::new(secret.bytes()) }
    }

    fn matches(&self, scheme: &Scheme, parts: &[&[u8]], given: &[u8], work: &Work) -> bool {
        if is_sha1(scheme) { self.sha1.matches(parts, given, work) } else { self.sha256.matches(parts, given, work) }
    }
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(
    callback: &'c Callback,
    header_name: &str,
    scheme: &'static Scheme,
    keys: &[Key],
    is_listed: IsListed,
    work: &Work,
) -> Result<Proof<'c>, VerifyError> {
    let value = header(callback, header_name)?.ok_or(VerifyError::Missing)?;
    // Only documents are signed this way. A form's signature is the same digest, and its text could be re-encoded as a document.
    let first = callback.body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !first.is_none_or(|first| b"{[".contains(first)) {
        return Err(VerifyError::NotCovered);
    }
    let given = hex::decode(value).map_err(|_| VerifyError::Malformed)?;
    let signs = |origin: &str, target: &str| {
        let parts = [origin.as_bytes(), target.as_bytes(), &callback.body];
        keys.iter().position(|key| key.matches(scheme, &parts, &given, work))
    };
    let index = public_url::find_spelling(&callback.public_urls, &callback.target, signs).ok_or(VerifyError::Mismatch)?;
    let payload = scheme.payload.decode(callback);
    let is_readable = is_listed(callback, &payload, &Joined::default());
    let proof = Proof::new(callback, scheme, index, key_without_spelling(&callback.target, &callback.body));
    Ok(proof.with_payload(payload).readable_if(is_readable))
}

/// Adds the header that [`verify`] accepts.
pub fn sign(key: &Key, header_name: &str, scheme: &'static Scheme, outgoing: &mut Outgoing) {
    let url = outgoing.url();
    let parts = [url.as_bytes(), &outgoing.body];
    let digits = if is_sha1(scheme) { hex::encode(key.sha1.digest(&parts)) } else { hex::encode(key.sha256.digest(&parts)) };
    outgoing.header(header_name, digits);
}

fn is_sha1(scheme: &Scheme) -> bool {
    scheme.name == SHA1.name
}

fn digits(scheme: &Scheme) -> usize {
    if is_sha1(scheme) { 40 } else { 64 }
}
