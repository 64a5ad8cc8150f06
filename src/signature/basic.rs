//! Scheme `basic`: HTTP Basic credentials (RFC 7617), which a provider takes from the URL `https://user:password@…`.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Outgoing, Proof, Scheme, VerifyError, Work, header, uncovered};
use crate::{
    callback::{Callback, PayloadKind},
    secret::Secret,
};

/// Covers nothing: any client that knows the password is accepted.
pub static SCHEME: Scheme = Scheme {
    name: "basic",
    covers: "nothing: any client that knows the password is accepted",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// The `WWW-Authenticate` header of a 401.
pub const CHALLENGE: &str = r#"Basic realm="waybill", charset="UTF-8""#;

const HEADER: &str = "authorization";

/// Returns true if an `Authorization` header was sent.
pub fn is_present(callback: &Callback) -> bool {
    callback.headers.has(HEADER)
}

fn password_of(pair: &str) -> &str {
    pair.split_once(':').map_or(pair, |(_, password)| password)
}

/// Compares with all credentials, each `user:password`.
pub fn verify<'c>(callback: &'c Callback, credentials: &[Secret], work: &Work) -> Result<Proof<'c>, VerifyError> {
    let value = header(callback, HEADER)?.ok_or(VerifyError::Missing)?;
    let encoded = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let (_, encoded) = encoded.ok_or(VerifyError::Missing)?;
    let sent = STANDARD.decode(encoded.trim()).map_err(|_| VerifyError::Malformed)?;
    let index = work.position(credentials, &sent, password_of).ok_or(VerifyError::Mismatch)?;
    Ok(Proof::new(callback, &SCHEME, index, uncovered(callback)))
}

/// Adds the header.
pub fn sign(credentials: &Secret, outgoing: &mut Outgoing) {
    outgoing.header("Authorization", format!("Basic {}", STANDARD.encode(credentials.bytes())));
}
