//! What senders often sign by mistake: the body alone, by some digest, in some spelling. It is looked for to tell them so; there
//! is no proof in it.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{header, mac};
use crate::{callback::Callback, provider::NearMiss, secret::Secret};

/// What may stand before the digits.
const PREFIXES: [&str; 4] = ["sha256=", "sha1=", "sha512=", "v1,"];

/// Whether one of the secrets gives the header's signature over the body alone, and how it is written.
pub fn near_miss(callback: &Callback, header_name: &str, setting: &'static str, secrets: &[Secret]) -> Option<NearMiss> {
    let value = header(callback, header_name).ok()??;
    if callback.body.is_empty() {
        return None;
    }
    let (prefix, digits) = PREFIXES.iter().find_map(|prefix| Some((*prefix, value.strip_prefix(prefix)?))).unwrap_or(("", value));
    let spellings = [("hex", hex::decode(digits).ok()), ("base64", STANDARD.decode(digits).ok())];
    let found = |(spelling, given): (&'static str, Option<Vec<u8>>)| {
        let given = given?;
        let digest = secrets.iter().find_map(|secret| digest_of(secret, &callback.body, &given))?;
        Some((spelling, digest))
    };
    let (spelling, digest) = spellings.into_iter().find_map(found)?;
    let before = if prefix.is_empty() { "without a prefix".to_owned() } else { format!("behind `{prefix}`") };
    let says = format!(
        "gives this signature over the body alone ({digest} in {spelling}, {before}), which is none of the provider's schemes: \
         the sender must sign otherwise"
    );
    Some(NearMiss { setting, says })
}

/// The digest by which the secret gives that signature.
fn digest_of(secret: &Secret, body: &[u8], given: &[u8]) -> Option<&'static str> {
    let key = secret.bytes();
    match given.len() {
        20 => mac::matches(mac::sha1(key, &[body]), given).then_some("HMAC-SHA1"),
        32 => mac::matches(mac::sha256(key, &[body]), given).then_some("HMAC-SHA256"),
        64 => mac::equal(&mac::hmac::<sha2::Sha512>(key, body), given).then_some("HMAC-SHA512"),
        _ => None,
    }
}
