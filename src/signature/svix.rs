//! Scheme `svix` (Standard Webhooks): base64 HMAC-SHA256 of `id.timestamp.body`, in a list of `v1,` entries.
//!
//! Sources: svix-webhooks `rust/src/webhooks.rs`, standard-webhooks `spec/standard-webhooks.md` (read 2026-11-22).
//! The key is what stands behind `whsec_`, decoded from base64; using the text itself is a classic mistake.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::Mac;

use super::{Outgoing, Proof, Rejected, Scheme, header, mac};
use crate::callback::Callback;

/// Covers id, time and body; not the URL. 300 seconds both ways, the boundary included.
pub static SCHEME: Scheme = Scheme {
    name: "svix",
    covers: "id, time (300 s both ways) and body",
    leaves_open: "URL, method and other headers",
    covers_url: false,
    covers_payload: true,
    tolerance: Some(300),
};

/// More entries than any rotation needs; a longer list only burns time.
const MAX_SIGNATURES: usize = 16;

/// Padding is often lost when a secret is pasted.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The specification's least length of a key.
const MIN_KEY: usize = 24;

/// A decoded signing secret.
#[derive(Clone)]
pub struct Key {
    bytes: secrecy::SecretSlice<u8>,
    /// Its place among the configured secrets.
    index: usize,
}

impl Key {
    /// Decodes `whsec_…` or plain base64. `None` if it is not base64 of 24 bytes or more.
    pub fn decode(secret: &str, index: usize) -> Option<Self> {
        let bytes = LENIENT.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
        (bytes.len() >= MIN_KEY).then(|| Self { bytes: bytes.into(), index })
    }

    /// The text itself as the key, which is a classic mistake of senders. It is tried to tell them so, and proves nothing.
    pub fn undecoded(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec().into(), index: 0 }
    }

    fn bytes(&self) -> &[u8] {
        secrecy::ExposeSecret::expose_secret(&self.bytes)
    }
}

/// The three headers of one attempt.
struct Attempt<'c> {
    id: &'c str,
    timestamp: &'c str,
    signatures: &'c str,
}

impl<'c> Attempt<'c> {
    /// The `svix-*` set if it is complete, else the `webhook-*` set; never a mixture.
    fn read(callback: &'c Callback) -> Result<Self, Rejected> {
        for family in ["svix", "webhook"] {
            let part = |name: &str| header(callback, &format!("{family}-{name}"));
            if let (Some(id), Some(timestamp), Some(signatures)) = (part("id")?, part("timestamp")?, part("signature")?) {
                return Ok(Self { id, timestamp, signatures });
            }
        }
        Err(Rejected::Missing)
    }

    /// A dot in the id would let bytes move between id, time and body; a sign or a blank in the time would not round-trip.
    fn seconds(&self) -> Result<i64, Rejected> {
        let plain_id = (1..=128).contains(&self.id.len())
            && self.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let plain_time = (1..=12).contains(&self.timestamp.len()) && self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        if !plain_id || !plain_time {
            return Err(Rejected::Malformed);
        }
        self.timestamp.parse().map_err(|_| Rejected::Malformed)
    }
}

/// Whether the request carries a signature of this scheme.
pub fn claimed(callback: &Callback) -> bool {
    !matches!(Attempt::read(callback), Err(Rejected::Missing))
}

/// The second at which it says that it was sent.
pub fn signed_at(callback: &Callback) -> Option<i64> {
    Attempt::read(callback).ok()?.seconds().ok()
}

/// Verifies against every key and every `v1` entry; entries of other versions are skipped.
pub fn verify<'c>(callback: &'c Callback, keys: &[Key]) -> Result<Proof<'c>, Rejected> {
    let attempt = Attempt::read(callback)?;
    let seconds = attempt.seconds()?;
    if SCHEME.tolerance.is_some_and(|tolerance| (callback.received_at.seconds() - seconds).abs() > tolerance) {
        return Err(Rejected::Stale);
    }
    let entries: Vec<&str> = attempt.signatures.split(' ').take(MAX_SIGNATURES + 1).collect();
    if entries.len() > MAX_SIGNATURES {
        return Err(Rejected::Malformed);
    }
    let given: Vec<Vec<u8>> = entries.iter().filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok()).collect();
    let signed = [attempt.id.as_bytes(), b".", attempt.timestamp.as_bytes(), b".", &callback.body];
    let key = keys
        .iter()
        .find(|key| given.iter().any(|given| mac::matches(mac::sha256(key.bytes(), &signed), given)))
        .ok_or(Rejected::Mismatch)?;
    // The id is the same for every retry and replay of one event; the time is not.
    Ok(Proof::new(callback, &SCHEME, key.index, attempt.id))
}

/// A secret of the form that Svix shows.
pub fn fresh_secret(random: &[u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(random))
}

/// Adds the three headers that [`verify`] accepts.
pub fn sign(key: &Key, outgoing: &mut Outgoing) {
    let seconds = outgoing.seconds.to_string();
    let parts = [outgoing.id.as_bytes(), b".", seconds.as_bytes(), b".", &outgoing.body];
    let signature = STANDARD.encode(mac::sha256(key.bytes(), &parts).finalize().into_bytes());
    outgoing.header("svix-id", outgoing.id.clone());
    outgoing.header("svix-timestamp", seconds);
    outgoing.header("svix-signature", format!("v1,{signature}"));
}
