//! Scheme `sms`: the parameter `sig`, a digest of all other parameters, sorted, each as `&name=value`, by the method configured for the
//! account.
//!
//! Sources: Vonage docs "Signing messages"; vonage-php `Client/Signature`, vonage-java `RequestSigning`, vonage-node
//! `SMS.verifySignature`, vonage-ruby `SMS#verify_webhook_sig` (read 2026-11-22). They disagree on blank values.

use super::{
    HmacSha1Key, HmacSha256Key, Outgoing, RequestKey, Scheme, VerifyError, Work, mac, matching,
    parameters::{self, Blanks, Match, Parameters, SignedParameters},
    request_key,
};
use crate::{
    callback::{Callback, PayloadKind},
    secret::Secret,
};

/// Covers all parameters.
pub static SCHEME: Scheme = Scheme {
    name: "sms",
    covers: "all parameters (`&` and `=` in a value count as `_`)",
    leaves_open: "URL of a POST, method, headers; time, unless `VONAGE_SIGNATURE_TOLERANCE` is set",
    covers_url: false,
    covers_payload: true,
    payload: PayloadKind::Parameters,
    tolerance: None,
};

/// The digest. It is configured for the account; a request cannot choose it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Method {
    /// MD5 of the string followed by the secret.
    #[default]
    Md5Hash,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

/// A secret for the account's method.
#[derive(Clone)]
pub enum Key {
    Md5Hash(Secret),
    Md5(mac::Key<md5::Md5>),
    Sha1(HmacSha1Key),
    Sha256(HmacSha256Key),
    Sha512(Box<mac::Key<sha2::Sha512>>),
}

impl Key {
    pub fn new(secret: &Secret, method: Method) -> Self {
        let bytes = secret.bytes();
        match method {
            Method::Md5Hash => Self::Md5Hash(secret.clone()),
            Method::Md5 => Self::Md5(mac::Key::new(bytes)),
            Method::Sha1 => Self::Sha1(HmacSha1Key::new(bytes)),
            Method::Sha256 => Self::Sha256(HmacSha256Key::new(bytes)),
            Method::Sha512 => Self::Sha512(Box::new(mac::Key::new(bytes))),
        }
    }

    fn matches(&self, signed: &[u8], given: &[u8], work: &Work) -> bool {
        match self {
            Self::Md5Hash(secret) => work.take(&[signed]) && mac::equal(&mac::md5(&[signed, secret.bytes()]), given),
            Self::Md5(key) => key.matches(&[signed], given, work),
            Self::Sha1(key) => key.matches(&[signed], given, work),
            Self::Sha256(key) => key.matches(&[signed], given, work),
            Self::Sha512(key) => key.matches(&[signed], given, work),
        }
    }

    /// The digest in hexadecimal: the plain hash in lower case, the others in upper case.
    fn digits(&self, signed: &[u8]) -> String {
        match self {
            Self::Md5Hash(secret) => hex::encode(mac::md5(&[signed, secret.bytes()])),
            Self::Md5(key) => hex::encode_upper(key.digest(&[signed])),
            Self::Sha1(key) => hex::encode_upper(key.digest(&[signed])),
            Self::Sha256(key) => hex::encode_upper(key.digest(&[signed])),
            Self::Sha512(key) => hex::encode_upper(key.digest(&[signed])),
        }
    }
}

/// The second in the parameter `timestamp`.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    SignedParameters::decode(callback)?.sorted().ok()?.text("timestamp")?.parse().ok()
}

/// Verifies the signature.
pub(super) fn verify(parameters: &Parameters<'_>, keys: &[Key], work: &Work) -> Result<Match, VerifyError> {
    // The sender always adds the time, so that no two signatures are equal.
    parameters.text("timestamp").filter(|time| !time.trim().is_empty()).ok_or(VerifyError::NotCovered)?;
    let found = |blanks: Blanks| {
        let signed = join(parameters.signed(blanks));
        let index = matching(keys, |key| key.matches(&signed, &parameters.signature, work)).ok()?;
        Some((&SCHEME, index, key_without_attempt(&signed)))
    };
    [Blanks::Kept, Blanks::Skipped, Blanks::NullAsEmpty].into_iter().find_map(found).ok_or(VerifyError::Mismatch)
}

/// Adds the signature that [`SignedParameters::verify`] accepts.
pub fn sign(key: &Key, outgoing: &mut Outgoing) {
    let Some(pairs) = parameters::to_sign(outgoing) else { return };
    let signed = join(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    parameters::add_signature(outgoing, &key.digits(&signed));
}

fn join<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Vec<u8> {
    let mut joined = Vec::new();
    for (name, value) in pairs {
        joined.push(b'&');
        joined.extend_from_slice(name);
        joined.push(b'=');
        joined.extend(value.iter().map(|byte| if b"&=".contains(byte) { b'_' } else { *byte }));
    }
    joined
}

/// The key of a request with that signed string, without the parts that change per attempt. It is split at the delimiters of the string,
/// not of the request, so that every re-encoding of a captured request has the same key.
pub(super) fn key_without_attempt(signed: &[u8]) -> RequestKey {
    let changes =
        |part: &&[u8]| ["timestamp=", "nonce=", "message-timestamp="].iter().any(|name| part.starts_with(name.as_bytes()));
    let parts: Vec<&[u8]> = signed.split(|&byte| byte == b'&').filter(|part| !changes(part)).collect();
    request_key(&[&parts.join(&b'&')])
}
