//! Shared keys: the key that signed a request is named in a header of its own, which nothing signs. So the header only
//! selects among the configured keys, and each has its one algorithm.
//!
//! Source: twilio-python 9.13.0 `request_validator.py` (read 2026-11-22). Public beta: it may change.

use crate::{
    callback::Callback,
    config::settings::Settings,
    secret::Secret,
    signature::{
        self, Rejected,
        request::{Algorithm, Key},
    },
};

pub(super) const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// One configured shared key.
#[derive(Clone)]
pub(super) struct SharedKey {
    id: String,
    pub(super) key: Key,
}

impl SharedKey {
    /// The header that names it.
    pub(super) fn header(&self) -> (String, String) {
        let algorithm: &str = self.key.algorithm.into();
        ("X-Twilio-Webhooks-Signature-Settings".to_owned(), format!("key={},algorithm={algorithm}", self.id))
    }
}

/// The configured keys. Their places among the endpoint's secrets follow those of the auth tokens.
pub(super) fn read(settings: &mut Settings<'_, '_>, tokens: usize) -> Vec<SharedKey> {
    let given = settings.secrets("SHARED_KEY");
    let parsed: Vec<SharedKey> =
        given.iter().enumerate().filter_map(|(place, secret)| parse(secret.text(), tokens + place)).collect();
    if parsed.len() < given.len() {
        settings.problem("SHARED_KEY", "expected `id:HMAC_SHA1:secret` or `id:HMAC_SHA256:secret`, or a comma list of such");
    }
    let secrets: Vec<Secret> = parsed.iter().map(|shared| shared.key.secret.clone()).collect();
    settings.judge("SHARED_KEY", &secrets);
    parsed
}

fn parse(text: &str, index: usize) -> Option<SharedKey> {
    let mut parts = text.splitn(3, ':');
    let (id, algorithm, secret) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    (!id.is_empty() && !secret.is_empty())
        .then(|| SharedKey { id: id.to_owned(), key: Key { secret: Secret::new(secret), algorithm, index } })
}

/// A shared key for `demo`.
pub(super) fn fresh(random: &[u8; 32]) -> String {
    format!("webhooks_sharedkey_demo:HMAC_SHA256:{}", hex::encode(random))
}

/// The keys that may have signed this request: the auth tokens, or the one shared key that it names.
pub(super) fn select<'k>(callback: &Callback, tokens: &'k [Key], shared: &'k [SharedKey]) -> Result<Vec<&'k Key>, Rejected> {
    let settings = signature::header(callback, SETTINGS)?.unwrap_or_default();
    let (mut id, mut algorithm) = (None, None);
    for part in settings.split(',').filter_map(|part| part.split_once('=')) {
        let place = match part.0.trim() {
            "key" => &mut id,
            "algorithm" => &mut algorithm,
            _ => continue,
        };
        if place.replace(part.1.trim()).is_some() {
            return Err(Rejected::Malformed);
        }
    }
    // As in the SDK, a part without a value is as good as none.
    let (id, algorithm) = (id.filter(|id| !id.is_empty()), algorithm.filter(|name| !name.is_empty()));
    let algorithm: Algorithm = algorithm.unwrap_or("HMAC_SHA1").parse().map_err(|_| Rejected::UnknownKey)?;
    let keys: Vec<&Key> = match id {
        None => tokens.iter().collect(),
        Some(id) => shared.iter().filter(|key| key.id == id).map(|shared| &shared.key).collect(),
    };
    let keys: Vec<&Key> = keys.into_iter().filter(|key| key.algorithm == algorithm).collect();
    if keys.is_empty() { Err(Rejected::UnknownKey) } else { Ok(keys) }
}
