//! Scheme `basic`: HTTP Basic credentials (RFC 7617), which a provider takes from `https://user:password@…`.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Outgoing, Proof, Rejected, Scheme, given, header, uncovered};
use crate::{callback::Callback, secret::Secret};

/// Covers nothing: who knows the password is believed.
pub static SCHEME: Scheme = Scheme {
    name: "basic",
    covers: "nothing: who knows the password is believed",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    tolerance: None,
};

/// What a refusal asks for.
pub const CHALLENGE: &str = r#"Basic realm="waybill", charset="UTF-8""#;

const HEADER: &str = "authorization";

/// Whether Basic credentials were sent.
pub fn claimed(callback: &Callback) -> bool {
    callback.headers.has(HEADER)
}

/// Compares with all credentials, each `user:password`.
pub fn verify<'c>(callback: &'c Callback, credentials: &[Secret]) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, HEADER)?.ok_or(Rejected::Missing)?;
    let encoded = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let (_, encoded) = encoded.ok_or(Rejected::Missing)?;
    let sent = STANDARD.decode(encoded.trim()).map_err(|_| Rejected::Malformed)?;
    let index = given(credentials, &sent).ok_or(Rejected::Mismatch)?;
    Ok(Proof::new(callback, &SCHEME, index, uncovered(callback)))
}

/// Adds the header.
pub fn sign(credentials: &Secret, outgoing: &mut Outgoing) {
    outgoing.header("Authorization", format!("Basic {}", STANDARD.encode(credentials.bytes())));
}
