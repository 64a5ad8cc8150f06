//! Scheme `jwt`: `Authorization: Bearer` with an HS256 token whose `payload_hash` is the SHA-256 of the raw body.
//!
//! Sources: Vonage docs "Signed webhooks" and "Decoding signed webhooks", help article 19033783342876 for GET; the SDKs
//! check the MAC alone; symfony/symfony#65700 and #65776 show why that is not enough (read 2026-11-22); RFC 7515 and RFC 7797 for
//! extensions of the header (read 2026-11-28). The token has neither `exp` nor `aud`, so the tolerance applies to `iat`.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{HmacSha256Key, Outgoing, Proof, RequestKey, Scheme, VerifyError, Work, header, mac, matching};
use crate::callback::{self, Callback, Payload, PayloadKind};

/// Covers the payload and the time.
pub static SCHEME: Scheme = Scheme {
    name: "jwt",
    covers: "payload and time (± 300 s)",
    leaves_open: "URL of a POST, method and other headers",
    covers_url: false,
    covers_payload: true,
    payload: PayloadKind::Hashed,
    tolerance: Some(300),
};

/// Some libraries pad the segments of their tokens.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

const HEADER: &str = "authorization";
const ISSUER: &str = "Vonage";

/// A member that occurs twice is an error. Unknown members are ignored, as RFC 7515 requires of those that are not critical.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Present, even with null, if the header names extensions that must be understood; none is.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    /// False if the payload is signed without its encoding (RFC 7797).
    #[serde(default = "encoded")]
    b64: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(member).map(|_| true)
}

fn encoded() -> bool {
    true
}

impl Header {
    /// Returns true for the one algorithm, without extensions (RFC 7515 section 4.1.11).
    fn is_supported(&self) -> bool {
        self.alg == "HS256" && !self.crit && self.b64
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    payload_hash: String,
    #[serde(default)]
    api_key: Option<String>,
}

/// The bearer token, if one was sent.
pub fn bearer(callback: &Callback) -> Result<Option<&str>, VerifyError> {
    let Some(value) = header(callback, HEADER)? else { return Ok(None) };
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(token.map(|(_, token)| token.trim()))
}

/// Returns true for the part of a token that its signature covers: two segments of base64url, of which the first is a JSON object. No
/// other body that a provider sends has this form.
pub(super) fn is_signing_input(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=.".contains(byte);
    // Ends at the first byte of a document or a form.
    if !bytes.iter().all(is_plain) {
        return false;
    }
    let mut segments = bytes.split(|&byte| byte == b'.');
    let (Some(head), Some(_claims), None) = (segments.next(), segments.next(), segments.next()) else { return false };
    LENIENT.decode(head).is_ok_and(|json| serde_json::from_slice::<Map<String, Value>>(&json).is_ok())
}

/// The second at which the token was issued.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    let claims = bearer(callback).ok()??.split('.').nth(1)?;
    let Claims { iat, .. } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(iat)
}

/// Verifies the token. With an `api_key`, tokens of other accounts are rejected.
pub fn verify<'c>(
    callback: &'c Callback,
    keys: &[HmacSha256Key],
    api_key: Option<&str>,
    work: &Work,
) -> Result<Proof<'c>, VerifyError> {
    let token = bearer(callback)?.ok_or(VerifyError::Missing)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
    let (head, body) = signed.split_once('.').ok_or(VerifyError::Malformed)?;
    let decode = |segment: &str| URL_SAFE_NO_PAD.decode(segment).map_err(|_| VerifyError::Malformed);
    let given = decode(signature)?;
    let index = matching(keys, |key| key.matches(&[signed.as_bytes()], &given, work))?;
    // The algorithm is fixed; a token that names another one, or an extension, is not of this scheme.
    let header: Header = serde_json::from_slice(&decode(head)?).map_err(|_| VerifyError::Malformed)?;
    let claims: Claims = serde_json::from_slice(&decode(body)?).map_err(|_| VerifyError::Malformed)?;
    if !header.is_supported() || claims.iss != ISSUER {
        return Err(VerifyError::Malformed);
    }
    let tolerance = SCHEME.tolerance.unwrap_or_default().unsigned_abs();
    if callback.received_at.seconds().abs_diff(claims.iat) > tolerance {
        return Err(VerifyError::Stale);
    }
    let mut hash = [0; 32];
    hex::decode_to_slice(&claims.payload_hash, &mut hash).map_err(|_| VerifyError::Malformed)?;
    let payload = SCHEME.payload.decode(callback);
    let digest: RequestKey = match &payload {
        Payload::Document(document) => Sha256::digest(document.bytes()),
        Payload::Form(_) => Sha256::digest(&callback.body),
    }
    .into();
    if !mac::equal(&hash, &digest) {
        return Err(VerifyError::NotCovered);
    }
    if api_key.is_some_and(|expected| claims.api_key.as_deref() != Some(expected)) {
        return Err(VerifyError::OtherAccount);
    }
    Ok(Proof::new(callback, &SCHEME, index, digest).with_payload(payload))
}

/// Adds the header that [`verify`] accepts.
pub fn sign(key: &HmacSha256Key, api_key: &str, outgoing: &mut Outgoing) {
    let query = if outgoing.body.is_empty() { callback::query_as_json(outgoing.query()) } else { None };
    let hash = hex::encode(Sha256::digest(query.as_ref().unwrap_or(&outgoing.body)));
    let claims = serde_json::json!({
        "iat": outgoing.seconds, "jti": outgoing.id, "iss": ISSUER, "payload_hash": hash, "api_key": api_key,
    });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(key.digest(&[signed.as_bytes()]));
    outgoing.header("Authorization", format!("Bearer {signed}.{signature}"));
}
