//! Proving that a callback is genuine. Nothing outside this module can make a [`Proof`].
//!
//! Every scheme verifies the exact bytes received, before anything is parsed, and compares digests of exact length in
//! constant time. A failure says why to the log and to nobody else.

pub mod basic;
pub mod body_only;
pub mod body_sha256;
pub mod ip;
pub mod jwt;
mod mac;
pub mod md5_plain;
mod outgoing;
mod parameters;
pub mod request;
pub mod sms;
pub mod stored;
pub mod svix;
pub mod unverified;
pub mod url_body;
pub mod url_secret;
pub mod url_token;

use sha2::{Digest, Sha256};

pub use self::outgoing::Outgoing;
use crate::{
    callback::{Callback, Repeated},
    secret::Secret,
};

/// The identity of a request across retries: SHA-256 over what the signature covers, without what changes per attempt.
pub type RequestKey = [u8; 32];

/// One way of signing, and what it covers.
#[derive(Debug)]
pub struct Scheme {
    /// The name used in `<PROVIDER>_SIGNATURE_SCHEMES`, `verified_by` and the log.
    pub name: &'static str,
    /// What a genuine signature proves, in words.
    pub covers: &'static str,
    /// What it does not, in words.
    pub leaves_open: &'static str,
    /// Whether the URL is signed. Only then is a query parameter believed.
    pub covers_url: bool,
    /// Whether the payload is signed. If not, whoever knows the credential can say anything.
    pub covers_payload: bool,
    /// Seconds of clock difference tolerated, if the time of sending is signed.
    pub tolerance: Option<i64>,
}

impl Scheme {
    /// Whether it is one of those that are on.
    pub fn is_among(&self, on: &[&Self]) -> bool {
        on.iter().any(|scheme| scheme.name == self.name)
    }
}

/// Evidence that a callback is genuine, bound to that callback.
#[derive(Debug)]
pub struct Proof<'c> {
    callback: &'c Callback,
    scheme: &'static Scheme,
    secret_index: usize,
    request_key: RequestKey,
}

impl<'c> Proof<'c> {
    /// The scheme that matched.
    pub fn scheme(&self) -> &'static Scheme {
        self.scheme
    }

    /// Which of the configured secrets matched.
    pub fn secret_index(&self) -> usize {
        self.secret_index
    }

    /// The key under which the request is deduplicated.
    pub fn request_key(&self) -> RequestKey {
        self.request_key
    }

    /// Scheme and index of the secret that matched, as stored in `verified_by`.
    pub fn verified_by(&self) -> String {
        if unverified::SCHEME.is_among(&[self.scheme]) {
            return self.scheme.name.to_owned();
        }
        format!("{}:{}", self.scheme.name, self.secret_index)
    }

    pub(crate) fn callback(&self) -> &'c Callback {
        self.callback
    }

    fn new(callback: &'c Callback, scheme: &'static Scheme, secret_index: usize, signed: impl AsRef<[u8]>) -> Self {
        Self { callback, scheme, secret_index, request_key: Sha256::digest(signed).into() }
    }
}

/// Why a callback is not believed. The caller learns only that it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Rejected {
    /// A header that the scheme needs is missing.
    #[error("a signature header is missing")]
    Missing,
    /// A signature header was sent more than once.
    #[error("a signature header is repeated")]
    Repeated,
    /// The signature is not of the scheme's form.
    #[error("the signature is malformed")]
    Malformed,
    /// No configured secret gives this signature.
    #[error("no configured secret gives this signature")]
    Mismatch,
    /// The signed time is too far from the clock.
    #[error("the signed time is outside the tolerance")]
    Stale,
    /// The signature does not cover the body.
    #[error("the signature does not cover the body")]
    NotCovered,
    /// The fields are not those of any known shape, so a delimiter may have been moved.
    #[error("the signed fields have no known shape")]
    Shape,
    /// The scheme is switched off for this endpoint.
    #[error("the signature scheme is switched off")]
    SchemeOff,
    /// The header that names a shared key names none that is configured with that algorithm.
    #[error("no shared key of that name and algorithm is configured")]
    UnknownKey,
    /// It came through a proxy or from a browser, and nothing is verified here.
    #[error("it came through a proxy or from a browser while verification is off")]
    Forwarded,
    /// The payload belongs to another account than the one configured.
    #[error("the payload is of another account")]
    OtherAccount,
    /// It carries nothing at all: the provider tries whether the URL answers.
    #[error("a probe, which carries nothing")]
    Probe,
    /// It is of a kind that the provider signs, and came without a signature: it will come again, signed.
    #[error("of a kind that is signed, and not signed")]
    Unsigned,
}

impl From<Repeated> for Rejected {
    fn from(Repeated: Repeated) -> Self {
        Self::Repeated
    }
}

/// The header text of a signature, if it was sent exactly once and is visible ASCII of a bearable length.
pub(crate) fn header<'c>(callback: &'c Callback, name: &str) -> Result<Option<&'c str>, Rejected> {
    const MAX_LENGTH: usize = 1_024;
    let Some(value) = callback.headers.sole(name)? else { return Ok(None) };
    let text = std::str::from_utf8(value).map_err(|_| Rejected::Malformed)?;
    let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if visible && text.len() <= MAX_LENGTH { Ok(Some(text)) } else { Err(Rejected::Malformed) }
}

/// What stands for a request that no signature covers: its body or, without one, its query without the credential in it. Beside
/// a body only the parameter `event` of the query is read: two events of a video room may differ in nothing else.
fn uncovered(callback: &Callback) -> Vec<u8> {
    let of_query =
        |is_kept: fn(&str) -> bool| callback.query().split('&').filter(|pair| is_kept(pair)).collect::<Vec<_>>().join("&");
    if callback.body.is_empty() {
        return of_query(|pair| !url_secret::is_parameter(pair)).into_bytes();
    }
    let event = of_query(|pair| pair.split('=').next() == Some("event"));
    if event.is_empty() { callback.body.to_vec() } else { [&callback.body, &b"\0"[..], event.as_bytes()].concat() }
}

/// The index of the secret that was given. All are compared, so that the time does not tell which one was meant.
fn given(secrets: &[Secret], given: &[u8]) -> Option<usize> {
    let matches = secrets.iter().enumerate().map(|(index, secret)| (index, secret.matches(given)));
    matches.fold(None, |found, (index, is_it)| if is_it { found.or(Some(index)) } else { found })
}

/// The index of the first secret for which `matches` holds.
fn matching(secrets: &[Secret], matches: impl Fn(&[u8]) -> bool) -> Result<usize, Rejected> {
    secrets.iter().position(|secret| matches(secret.bytes())).ok_or(Rejected::Mismatch)
}
