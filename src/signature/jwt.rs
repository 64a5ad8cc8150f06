//! Scheme `jwt`: `Authorization: Bearer` with an HS256 token whose `payload_hash` is the SHA-256 of the raw body.
//!
//! Sources: Vonage docs "Signed webhooks" and "Decoding signed webhooks", help article 19033783342876 for GET; the SDKs
//! check the MAC alone, symfony/symfony#65700 and #65776 show why that is not enough (read 2026-11-22). The token has
//! neither `exp` nor `aud`, so freshness is that of `iat`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Outgoing, Proof, Rejected, Scheme, header, mac, matching};
use crate::{callback::Callback, form::Form, secret::Secret};

/// Covers the payload and the time.
pub static SCHEME: Scheme = Scheme {
    name: "jwt",
    covers: "payload and time (300 s both ways)",
    leaves_open: "URL of a POST, method and other headers",
    covers_url: false,
    covers_payload: true,
    tolerance: Some(300),
};

const HEADER: &str = "authorization";
const ISSUER: &str = "Vonage";

#[derive(Deserialize)]
struct Header {
    alg: String,
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
pub fn bearer(callback: &Callback) -> Result<Option<&str>, Rejected> {
    let Some(value) = header(callback, HEADER)? else { return Ok(None) };
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(token.map(|(_, token)| token.trim()))
}

/// The second at which the token says that it was issued.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    let claims = bearer(callback).ok()??.split('.').nth(1)?;
    let Claims { iat, .. } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(iat)
}

/// Verifies the token. With an `api_key`, only tokens of that account are taken.
pub fn verify<'c>(callback: &'c Callback, secrets: &[Secret], api_key: Option<&str>) -> Result<Proof<'c>, Rejected> {
    let token = bearer(callback)?.ok_or(Rejected::Missing)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
    let (head, body) = signed.split_once('.').ok_or(Rejected::Malformed)?;
    let decode = |segment: &str| URL_SAFE_NO_PAD.decode(segment).map_err(|_| Rejected::Malformed);
    let given = decode(signature)?;
    let index = matching(secrets, |key| mac::matches(mac::sha256(key, &[signed.as_bytes()]), &given))?;
    // The token could choose no other algorithm; one that names another is not of this scheme.
    let Header { alg } = serde_json::from_slice(&decode(head)?).map_err(|_| Rejected::Malformed)?;
    let claims: Claims = serde_json::from_slice(&decode(body)?).map_err(|_| Rejected::Malformed)?;
    if alg != "HS256" || claims.iss != ISSUER {
        return Err(Rejected::Malformed);
    }
    let tolerance = SCHEME.tolerance.unwrap_or_default().unsigned_abs();
    if callback.received_at.seconds().abs_diff(claims.iat) > tolerance {
        return Err(Rejected::Stale);
    }
    let mut hash = [0; 32];
    hex::decode_to_slice(&claims.payload_hash, &mut hash).map_err(|_| Rejected::Malformed)?;
    let payload = payload(callback.query(), &callback.body);
    if !mac::equal(&hash, &Sha256::digest(&payload)) {
        return Err(Rejected::NotCovered);
    }
    if api_key.is_some_and(|expected| claims.api_key.as_deref() != Some(expected)) {
        return Err(Rejected::OtherAccount);
    }
    Ok(Proof::new(callback, &SCHEME, index, payload))
}

/// What the hash is over: the body or, of a GET, its parameters as a compact JSON object in the order received.
fn payload(query: &str, body: &[u8]) -> Vec<u8> {
    if !body.is_empty() {
        return body.to_vec();
    }
    let Some(form) = Form::decode(query.as_bytes()) else { return Vec::new() };
    let text = |bytes: &[u8]| serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string();
    let members: Vec<String> = form.pairs().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// Adds the header that [`verify`] accepts.
pub fn sign(secret: &Secret, api_key: &str, outgoing: &mut Outgoing) {
    let hash = hex::encode(Sha256::digest(payload(outgoing.query(), &outgoing.body)));
    let claims = serde_json::json!({
        "iat": outgoing.seconds, "jti": outgoing.id, "iss": ISSUER, "payload_hash": hash, "api_key": api_key,
    });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let signature = mac::sha256(secret.bytes(), &[signed.as_bytes()]).finalize().into_bytes();
    outgoing.header("Authorization", format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
}
