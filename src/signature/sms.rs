//! Scheme `sms`: the parameter `sig`, a digest of all other parameters, sorted, each `&name=value`, by the method that is
//! configured for the account.
//!
//! Sources: Vonage docs "Signing messages"; vonage-php `Client/Signature`, vonage-java `RequestSigning`, vonage-node
//! `SMS.verifySignature`, vonage-ruby `SMS#verify_webhook_sig` (read 2026-11-22). They disagree on blank values.

use super::{
    Outgoing, Proof, Rejected, Scheme, mac, matching,
    parameters::{self, Blanks, Parameters},
};
use crate::{callback::Callback, secret::Secret};

/// Covers all parameters.
pub static SCHEME: Scheme = Scheme {
    name: "sms",
    covers: "all parameters (`&` and `=` in a value count as `_`)",
    leaves_open: "URL of a POST, method, headers; time, unless `VONAGE_SIGNATURE_TOLERANCE` is set",
    covers_url: false,
    covers_payload: true,
    tolerance: None,
};

/// The digest. It is configured for the account and never chosen by a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Method {
    /// MD5 of the string and the secret after it.
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

impl Method {
    fn digest(self, secret: &[u8], signed: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5Hash => mac::md5(&[signed, secret]).to_vec(),
            Self::Md5 => mac::hmac::<md5::Md5>(secret, signed),
            Self::Sha1 => mac::hmac::<sha1::Sha1>(secret, signed),
            Self::Sha256 => mac::hmac::<sha2::Sha256>(secret, signed),
            Self::Sha512 => mac::hmac::<sha2::Sha512>(secret, signed),
        }
    }
}

/// Whether the request carries a signature of this kind.
pub fn claimed(callback: &Callback) -> bool {
    Parameters::are_signed(callback)
}

/// The second at which the parameters say that they were sent.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    Parameters::of(callback).ok()?.text("timestamp")?.parse().ok()
}

/// Verifies the signature. With a tolerance in seconds the signed time must be within it.
pub fn verify<'c>(
    callback: &'c Callback,
    secrets: &[Secret],
    method: Method,
    tolerance: Option<u64>,
) -> Result<Proof<'c>, Rejected> {
    let parameters = Parameters::of(callback)?;
    // A genuine one always has the time, so that no two are alike.
    parameters.text("timestamp").filter(|time| !time.trim().is_empty()).ok_or(Rejected::NotCovered)?;
    let mut failure = Rejected::Mismatch;
    for blanks in [Blanks::Kept, Blanks::Skipped, Blanks::NullAsEmpty] {
        let signed = joined(&parameters, blanks);
        match matching(secrets, |secret| mac::equal(&method.digest(secret, &signed), &parameters.signature)) {
            Ok(index) => {
                is_fresh(&parameters, callback, tolerance)?;
                return Ok(Proof::new(callback, &SCHEME, index, without_attempt(&signed)));
            }
            Err(rejected) => failure = rejected,
        }
    }
    Err(failure)
}

/// Adds the signature that [`verify`] accepts.
pub fn sign(secret: &Secret, method: Method, outgoing: &mut Outgoing) {
    let Some(pairs) = parameters::of_outgoing(outgoing) else { return };
    let signed = join(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let digits = hex::encode(method.digest(secret.bytes(), &signed));
    // As in the wild: the plain hash in lower case, the others in upper case.
    let digits = if method == Method::Md5Hash { digits } else { digits.to_uppercase() };
    parameters::add_signature(outgoing, &digits);
}

fn joined(parameters: &Parameters, blanks: Blanks) -> Vec<u8> {
    join(parameters.signed(blanks))
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

/// Whether the signed time is within the tolerance, if one is configured.
pub(super) fn is_fresh(parameters: &Parameters, callback: &Callback, tolerance: Option<u64>) -> Result<(), Rejected> {
    let Some(tolerance) = tolerance else { return Ok(()) };
    let seconds: i64 = parameters.text("timestamp").and_then(|text| text.parse().ok()).ok_or(Rejected::Stale)?;
    if callback.received_at.seconds().abs_diff(seconds) > tolerance { Err(Rejected::Stale) } else { Ok(()) }
}

/// The signed string without what changes from attempt to attempt. It is cut where the string has its delimiters, not where
/// the request had them, so that every way to cut a captured request anew is the same request.
pub(super) fn without_attempt(signed: &[u8]) -> Vec<u8> {
    let changes =
        |part: &&[u8]| ["timestamp=", "nonce=", "message-timestamp="].iter().any(|name| part.starts_with(name.as_bytes()));
    let parts: Vec<&[u8]> = signed.split(|&byte| byte == b'&').filter(|part| !changes(part)).collect();
    parts.join(&b'&')
}
