//! Schemes `url-body-sha1` and `url-body-sha256`: hex HMAC of the public URL followed by the raw body.
//!
//! Sources: SignalWire docs "Webhook security" (`webhook-security.mdx`), signalwire-sdk 3.7.5 `webhook_validator`
//! (read 2026-11-22). Never the SDK's fallback, which takes a signature over the bare URL for any body.

use hmac::Mac;

use super::{Outgoing, Proof, Rejected, Scheme, header, mac};
use crate::{callback::Callback, public_url, secret::Secret};

/// SHA-1, in every JSON request.
pub static SHA1: Scheme = Scheme {
    name: "url-body-sha1",
    covers: "URL and body",
    leaves_open: "time; where the URL ends and the body begins; the method",
    covers_url: true,
    covers_payload: true,
    tolerance: None,
};

/// SHA-256, in requests about calls.
pub static SHA256: Scheme = Scheme {
    name: "url-body-sha256",
    covers: "URL and body",
    leaves_open: "time; where the URL ends and the body begins; the method",
    covers_url: true,
    covers_payload: true,
    tolerance: None,
};

/// Whether the signature in that header, if any, has the form of this scheme's.
pub fn claimed(callback: &Callback, header_name: &str, scheme: &'static Scheme) -> Result<bool, Rejected> {
    let is_hex = |value: &str| value.len() == digits(scheme) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(header(callback, header_name)?.is_some_and(is_hex))
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(
    callback: &'c Callback,
    header_name: &str,
    scheme: &'static Scheme,
    secrets: &[Secret],
) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, header_name)?.ok_or(Rejected::Missing)?;
    // Only documents are signed so. A form's own signature is the same digest, and its text could be cut anew here.
    let first = callback.body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !first.is_none_or(|first| b"{[".contains(first)) {
        return Err(Rejected::NotCovered);
    }
    let given = hex::decode(value).map_err(|_| Rejected::Malformed)?;
    let urls: Vec<String> = callback.public_urls.iter().flat_map(|public| public.signed_spellings(&callback.target)).collect();
    let is_genuine = |key: &[u8]| urls.iter().any(|url| matches(scheme, key, &[url.as_bytes(), &callback.body], &given));
    let index = super::matching(secrets, is_genuine)?;
    // As with the scheme `request`: a captured request stays the same wherever the URL is made to end.
    let canonical = public_url::fold_spelling(&[callback.target.as_bytes(), &callback.body].concat());
    Ok(Proof::new(callback, scheme, index, canonical))
}

/// Adds the header that [`verify`] accepts.
pub fn sign(secret: &Secret, header_name: &str, scheme: &'static Scheme, outgoing: &mut Outgoing) {
    let url = outgoing.url();
    let parts = [url.as_bytes(), &outgoing.body];
    let digest = if scheme.name == SHA1.name {
        hex::encode(mac::sha1(secret.bytes(), &parts).finalize().into_bytes())
    } else {
        hex::encode(mac::sha256(secret.bytes(), &parts).finalize().into_bytes())
    };
    outgoing.header(header_name, digest);
}

fn matches(scheme: &Scheme, key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    if scheme.name == SHA1.name {
        mac::matches(mac::sha1(key, parts), given)
    } else {
        mac::matches(mac::sha256(key, parts), given)
    }
}

fn digits(scheme: &Scheme) -> usize {
    if scheme.name == SHA1.name { 40 } else { 64 }
}
