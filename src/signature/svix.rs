//! Scheme `svix` (Standard Webhooks): base64 HMAC-SHA256 of `id.timestamp.body`, in a list of `v1,` entries.
//!
//! Sources: svix-webhooks `rust/src/webhooks.rs`, standard-webhooks `spec/standard-webhooks.md` (read 2026-11-22).
//! The key is the text after `whsec_`, decoded from base64; using the text itself is a common mistake.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use secrecy::{ExposeSecret, SecretSlice};

use super::{HmacSha256Key, Outgoing, Proof, Scheme, VerifyError, Work, header, mac, request_key};
use crate::callback::{Callback, PayloadKind};

/// Covers id, time and body; not the URL. 300 seconds both ways, the boundary included.
pub static SCHEME: Scheme = Scheme {
    name: "svix",
    covers: "id, time (± 300 s) and body",
    leaves_open: "URL, method and other headers",
    covers_url: false,
    covers_payload: true,
    payload: PayloadKind::Sniffed,
    tolerance: Some(300),
};

/// More entries than a rotation needs; a longer list only costs time.
const MAX_SIGNATURES: usize = 16;

/// Padding is often lost when a secret is pasted.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The minimum length of a key by the specification.
const MIN_KEY: usize = 24;

/// The names of the three headers, in either family.
pub const HEADERS: [[&str; 3]; 2] =
    [["svix-id", "svix-timestamp", "svix-signature"], ["webhook-id", "webhook-timestamp", "webhook-signature"]];

/// A decoded signing secret.
#[derive(Clone)]
pub struct Key {
    key: HmacSha256Key,
    /// The index among the configured secrets.
    index: usize,
}

impl Key {
    /// Decodes `whsec_…` or plain base64. `None` if it is not base64 of 24 bytes or more.
    pub fn decode(secret: &str, index: usize) -> Option<Self> {
        let bytes: SecretSlice<u8> = LENIENT.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?.into();
        let bytes = bytes.expose_secret();
        (bytes.len() >= MIN_KEY).then(|| Self { key: HmacSha256Key::new(bytes), index })
    }

    /// The text itself as the key, a common mistake of senders. For diagnosis only.
    pub fn undecoded(text: &str) -> Self {
        Self { key: HmacSha256Key::new(text.as_bytes()), index: 0 }
    }
}

/// The three headers of one attempt.
pub struct Attempt<'c> {
    callback: &'c Callback,
    id: &'c str,
    timestamp: &'c str,
    signatures: &'c str,
}

impl<'c> Attempt<'c> {
    /// The `svix-*` headers if complete, else the `webhook-*` headers; never a mixture.
    pub fn parse(callback: &'c Callback) -> Result<Self, VerifyError> {
        for [id, timestamp, signatures] in HEADERS {
            let parts = (header(callback, id)?, header(callback, timestamp)?, header(callback, signatures)?);
            if let (Some(id), Some(timestamp), Some(signatures)) = parts {
                return Ok(Self { callback, id, timestamp, signatures });
            }
        }
        Err(VerifyError::Missing)
    }

    /// Verifies every `v1` entry with every key; entries of other versions are skipped.
    pub fn verify(&self, keys: &[Key], work: &Work) -> Result<Proof<'c>, VerifyError> {
        let (callback, seconds) = (self.callback, self.seconds()?);
        if SCHEME.tolerance.is_some_and(|tolerance| (callback.received_at.seconds() - seconds).abs() > tolerance) {
            return Err(VerifyError::Stale);
        }
        if self.signatures.split(' ').nth(MAX_SIGNATURES).is_some() {
            return Err(VerifyError::Malformed);
        }
        let entries = self.signatures.split(' ').filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok());
        let given: Vec<Vec<u8>> = entries.collect();
        let signed = [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", &callback.body];
        let signs = |key: &&Key| {
            let digest = work.take(&signed).then(|| key.key.digest(&signed));
            digest.is_some_and(|digest| given.iter().any(|given| mac::equal(digest.as_ref(), given)))
        };
        let key = keys.iter().find(signs).ok_or(VerifyError::Mismatch)?;
        // The id is the same for every retry and replay of one event; the time is not.
        Ok(Proof::new(callback, &SCHEME, key.index, request_key(&[self.id.as_bytes()])))
    }

    /// The signed time. A dot in the id would let bytes move between id, time and body; a sign or a blank in the time would not
    /// round-trip.
    fn seconds(&self) -> Result<i64, VerifyError> {
        let plain_id = (1..=128).contains(&self.id.len())
            && self.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let plain_time = (1..=12).contains(&self.timestamp.len()) && self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        if !plain_id || !plain_time {
            return Err(VerifyError::Malformed);
        }
        self.timestamp.parse().map_err(|_| VerifyError::Malformed)
    }
}

/// The signed time, in seconds.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    Attempt::parse(callback).ok()?.seconds().ok()
}

pub fn generate_secret(random: &[u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(random))
}

/// Adds the three headers that [`Attempt::verify`] accepts.
pub fn sign(key: &Key, outgoing: &mut Outgoing) {
    let seconds = outgoing.seconds.to_string();
    let parts = [outgoing.id.as_bytes(), b".", seconds.as_bytes(), b".", &outgoing.body];
    let signature = STANDARD.encode(key.key.digest(&parts));
    outgoing.header("svix-id", outgoing.id.clone());
    outgoing.header("svix-timestamp", seconds);
    outgoing.header("svix-signature", format!("v1,{signature}"));
}
