//! Shared keys. The key that signed a request is named in an unsigned header, which therefore only selects among the configured keys,
//! each with its own algorithm.
//!
//! Source: twilio-python 9.13.0 `request_validator.py` (read 2026-11-22). Public beta: it may change.

use crate::{
    callback::Callback,
    provider::Settings,
    secret::Secret,
    signature::{
        self, VerifyError,
        request::{Algorithm, Key},
    },
};

pub(super) const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

#[derive(Clone)]
pub(super) struct SharedKey {
    id: String,
    pub(super) key: Key,
}

impl SharedKey {
    /// The header that names the key.
    pub(super) fn header(&self) -> (String, String) {
        let algorithm: &str = self.key.algorithm().into();
        ("X-Twilio-Webhooks-Signature-Settings".to_owned(), format!("key={},algorithm={algorithm}", self.id))
    }
}

/// The configured keys. Their indices among the endpoint's secrets follow those of the auth tokens.
pub(super) fn read(settings: &mut Settings<'_>, tokens: usize) -> Vec<SharedKey> {
    let given = settings.secrets("SHARED_KEY");
    let (parsed, secrets): (Vec<SharedKey>, Vec<Secret>) =
        given.iter().enumerate().filter_map(|(place, secret)| parse(secret.text(), tokens + place)).unzip();
    if parsed.len() < given.len() {
        settings.problem("SHARED_KEY", "expected `id:HMAC_SHA1:secret` or `id:HMAC_SHA256:secret`, or a comma list of such");
    }
    settings.check_secrets("SHARED_KEY", &secrets);
    parsed
}

fn parse(text: &str, index: usize) -> Option<(SharedKey, Secret)> {
    let mut parts = text.splitn(3, ':');
    let (id, algorithm, secret) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    if id.is_empty() || secret.is_empty() {
        return None;
    }
    let secret = Secret::new(secret);
    Some((SharedKey { id: id.to_owned(), key: Key::new(&secret, algorithm, index) }, secret))
}

pub(super) fn generate(random: &[u8; 32]) -> String {
    format!("webhooks_sharedkey_demo:HMAC_SHA256:{}", hex::encode(random))
}

/// The keys that may have signed the request: the auth tokens, or the shared key that it names.
pub(super) fn select<'k>(callback: &Callback, tokens: &'k [Key], shared: &'k [SharedKey]) -> Result<Vec<&'k Key>, VerifyError> {
    let settings = signature::header(callback, SETTINGS)?.unwrap_or_default();
    let (mut id, mut algorithm) = (None, None);
    for part in settings.split(',').filter_map(|part| part.split_once('=')) {
        let place = match part.0.trim() {
            "key" => &mut id,
            "algorithm" => &mut algorithm,
            _ => continue,
        };
        if place.replace(part.1.trim()).is_some() {
            return Err(VerifyError::Malformed);
        }
    }
    // As in the SDK, a part without a value counts as missing.
    let (id, algorithm) = (id.filter(|id| !id.is_empty()), algorithm.filter(|name| !name.is_empty()));
    let algorithm: Algorithm = algorithm.unwrap_or("HMAC_SHA1").parse().map_err(|_| VerifyError::UnknownKey)?;
    let tokens = tokens.iter().filter(|_| id.is_none());
    let shared = shared.iter().filter(|key| id == Some(key.id.as_str())).map(|shared| &shared.key);
    let keys: Vec<&Key> = tokens.chain(shared).filter(|key| key.algorithm() == algorithm).collect();
    if keys.is_empty() { Err(VerifyError::UnknownKey) } else { Ok(keys) }
}
