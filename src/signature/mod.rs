//! Verification of callbacks. Only this module can make a [`Proof`].
//!
//! Every scheme verifies the exact bytes received, before anything is parsed, and compares digests of exact length in constant time.
//! The cause of a rejection is logged, and never sent to the client.

pub mod basic;
pub mod body_only;
pub mod body_sha256;
pub mod ip;
mod joined;
pub mod jwt;
mod mac;
pub mod md5_plain;
mod outgoing;
mod parameters;
pub mod recorded_proof;
pub mod request;
mod request_key;
pub mod sms;
pub mod svix;
pub mod unverified;
pub mod url_body;
pub mod url_secret;
pub mod url_token;
mod verified;
mod work;

use std::cell::OnceCell;

use sha1::Sha1;
use sha2::Sha256;

use self::request_key::{key_without_spelling, request_key, uncovered, unreadable};
pub use self::{
    joined::{IsListed, Joined},
    outgoing::{Outgoing, Signer},
    parameters::SignedParameters,
    request_key::RequestKey,
    verified::{Readable, VerifiedCallback},
    work::Work,
};
use crate::callback::{Callback, Payload, PayloadKind, Repeated};

/// A secret as a key of HMAC-SHA1.
pub type HmacSha1Key = mac::Key<Sha1>;

/// A secret as a key of HMAC-SHA256.
pub type HmacSha256Key = mac::Key<Sha256>;

/// The key of a stored request: shorter, over the endpoint and the request's key.
pub type StoredKey = [u8; 16];

/// A signature scheme, and what it covers.
#[derive(Debug)]
pub struct Scheme {
    /// The name used in `<PROVIDER>_SIGNATURE_SCHEMES`, `verified_by` and the log.
    pub name: &'static str,
    /// Description of the signed parts.
    pub covers: &'static str,
    /// Description of the unsigned parts.
    pub leaves_open: &'static str,
    /// The URL is signed, and the payload after it without a delimiter. Only then are query parameters used.
    pub covers_url: bool,
    /// The payload is signed. If not, any client that knows the credential can send any payload.
    pub covers_payload: bool,
    pub payload: PayloadKind,
    /// The tolerated clock difference in seconds, if the time of sending is signed.
    pub tolerance: Option<i64>,
}

impl Scheme {
    pub fn is_among(&self, schemes: &[&Self]) -> bool {
        schemes.iter().any(|scheme| scheme.name == self.name)
    }
}

/// Evidence that a callback was verified, bound to that callback and its payload.
#[derive(Debug)]
pub struct Proof<'c> {
    callback: &'c Callback,
    scheme: &'static Scheme,
    secret_index: usize,
    request_key: RequestKey,
    stored_key: Option<StoredKey>,
    payload: OnceCell<Payload<'c>>,
    /// False for a request that may be another cut of a captured one.
    is_readable: bool,
}

impl<'c> Proof<'c> {
    pub fn scheme(&self) -> &'static Scheme {
        self.scheme
    }

    /// The index of the configured secret that matched.
    pub fn secret_index(&self) -> usize {
        self.secret_index
    }

    /// The key under which the request is deduplicated.
    pub fn request_key(&self) -> RequestKey {
        self.request_key
    }

    /// The key of the stored request, if the callback was read from the store.
    pub fn stored_key(&self) -> Option<StoredKey> {
        self.stored_key
    }

    /// The scheme and the index of the secret, as stored in `verified_by`.
    pub fn verified_by(&self) -> String {
        if unverified::SCHEME.is_among(&[self.scheme]) {
            return self.scheme.name.to_owned();
        }
        format!("{}:{}", self.scheme.name, self.secret_index)
    }

    /// The payload, decoded as the scheme defines: once, for the digest or on first use.
    pub fn payload(&self) -> &Payload<'c> {
        self.payload.get_or_init(|| self.scheme.payload.decode(self.callback))
    }

    fn new(callback: &'c Callback, scheme: &'static Scheme, secret_index: usize, request_key: RequestKey) -> Self {
        Self { callback, scheme, secret_index, request_key, stored_key: None, payload: OnceCell::new(), is_readable: true }
    }

    /// Adds the payload that was decoded for the digest.
    fn with_payload(self, payload: Payload<'c>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    /// Without a listed shape the request is verified and not parsed.
    fn readable_if(self, is_readable: bool) -> Self {
        if is_readable { self } else { Self { request_key: unreadable(&self.request_key), is_readable, ..self } }
    }
}

/// A callback was rejected. The response does not show the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum VerifyError {
    #[error("a signature header is missing")]
    Missing,
    #[error("a signature header is repeated")]
    Repeated,
    #[error("the signature is malformed")]
    Malformed,
    #[error("no configured secret gives this signature")]
    Mismatch,
    #[error("the signed time is outside the tolerance")]
    Stale,
    #[error("the signature does not cover the body")]
    NotCovered,
    #[error("a parameter's name has characters that no sender uses")]
    Names,
    #[error("the signature scheme is switched off")]
    SchemeOff,
    #[error("no shared key of that name and algorithm is configured")]
    UnknownKey,
    #[error("it arrived through a proxy, from a browser or for another host while verification is off")]
    Forwarded,
    #[error("the payload belongs to another account")]
    OtherAccount,
    /// The provider sends the password of the URL only after a challenge.
    #[error("the credentials of the URL are missing, which the provider sends after a challenge")]
    Challenged,
    /// An empty request, by which the provider tests the URL.
    #[error("an empty request, which tests the URL")]
    Probe,
    /// The provider signs callbacks of this kind, and retries an unsigned one with a signature.
    #[error("a callback of a signed kind has no signature")]
    Unsigned,
}

impl VerifyError {
    /// Returns false for requests that a provider sends as part of its protocol. They are neither counted nor diagnosed.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Probe | Self::Challenged)
    }
}

impl From<Repeated> for VerifyError {
    fn from(Repeated: Repeated) -> Self {
        Self::Repeated
    }
}

/// The text of a signature's header, if it was sent. It must occur once and be visible ASCII of limited length.
pub(crate) fn header<'c>(callback: &'c Callback, name: &str) -> Result<Option<&'c str>, VerifyError> {
    const MAX_LENGTH: usize = 1_024;
    let Some(value) = callback.headers.single(name)? else { return Ok(None) };
    let text = std::str::from_utf8(value).map_err(|_| VerifyError::Malformed)?;
    let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if visible && text.len() <= MAX_LENGTH { Ok(Some(text)) } else { Err(VerifyError::Malformed) }
}

/// The index of the first key for which `matches` holds.
fn matching<K>(keys: &[K], matches: impl Fn(&K) -> bool) -> Result<usize, VerifyError> {
    keys.iter().position(matches).ok_or(VerifyError::Mismatch)
}
