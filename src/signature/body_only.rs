//! A common mistake of senders: a signature over the body alone, by some digest and in some encoding. It is searched for diagnosis
//! only, and verifies nothing.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{HmacSha1Key, HmacSha256Key, Work, header, mac};
use crate::{callback::Callback, secret::Secret};

/// Prefixes of the digits.
const PREFIXES: [&str; 4] = ["sha256=", "sha1=", "sha512=", "v1,"];

/// A signature over the body alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyOnly {
    pub digest: &'static str,
    pub encoding: &'static str,
    /// The text before the digits; may be empty.
    pub prefix: &'static str,
}

/// The form of the header's signature, if one of the secrets gives it over the body alone.
pub fn find(callback: &Callback, header_name: &str, secrets: &[Secret], work: &Work) -> Option<BodyOnly> {
    let value = header(callback, header_name).ok()??;
    if callback.body.is_empty() {
        return None;
    }
    let (prefix, digits) = PREFIXES.iter().find_map(|prefix| Some((*prefix, value.strip_prefix(prefix)?))).unwrap_or(("", value));
    let encodings = [("hex", hex::decode(digits).ok()), ("base64", STANDARD.decode(digits).ok())];
    encodings.into_iter().find_map(|(encoding, given)| {
        let given = given?;
        let digest = secrets.iter().find_map(|secret| matching_digest(secret, &callback.body, &given, work))?;
        Some(BodyOnly { digest, encoding, prefix })
    })
}

/// The digest by which the secret gives that signature.
fn matching_digest(secret: &Secret, body: &[u8], given: &[u8], work: &Work) -> Option<&'static str> {
    let key = secret.bytes();
    match given.len() {
        20 => HmacSha1Key::new(key).matches(&[body], given, work).then_some("HMAC-SHA1"),
        32 => HmacSha256Key::new(key).matches(&[body], given, work).then_some("HMAC-SHA256"),
        64 => mac::Key::<sha2::Sha512>::new(key).matches(&[body], given, work).then_some("HMAC-SHA512"),
        _ => None,
    }
}
