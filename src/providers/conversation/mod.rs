//! The conversation service of the integration guide: a chat platform that reports each message.
//!
//! **Sends** a JSON POST for each message that is created or processed, in either direction.
//! **Signs**, optionally, the hex HMAC-SHA256 of the body in a header; the guide recommends an address list.
//! **Not covered**: the URL and the time.
//! **Identity across retries**: the body. The message's id alone would drop its later statuses.
//! **Retries**: 3, after 4, 8 and 10 s, for any response but 2xx; waits 30 s for a response. **Wants** 2xx always, so
//! every verified callback is acknowledged.
//! **Limits**: 100 a minute and 10 at once; response headers show what is left.
//!
//! Source: the integration guide "Webhook Integration Guide" (conversation messages; read 2026-11-22).

mod payload;

use super::signed_body::{self, SCHEMES, SIGNATURE_HEADER, SignedBody};
use crate::{
    limiter::Limits,
    provider::{InvalidPayload, Provider, Setting, SettingKind, Settings, Spec},
    status::Channel,
};

pub(super) static SPEC: Spec = Spec {
    name: "conversation",
    title: "Conversation",
    channels: &[Channel::Chat, Channel::Whatsapp, Channel::Sms],
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "Secret with which the sender signs the body.",
            example: "b17d9f3c5a8e4062917c3e5f0a8b6d24",
            kind: SettingKind::Proof,
        },
        SIGNATURE_HEADER,
        Setting::url_token("cv-7a9d3f52b688006e2f4a1c7b9d530c4e"),
        Setting::allowed_ips(),
        Setting {
            name: "RATE_LIMIT",
            doc: "New verified callbacks in any 60 seconds; 0 = no limit.",
            example: "100",
            kind: SettingKind::Option,
        },
        Setting {
            name: "MAX_CONCURRENT",
            doc: "New verified callbacks in progress at once; 0 = no limit.",
            example: "10",
            kind: SettingKind::Option,
        },
    ],
    schemes: &SCHEMES,
    routes: &[],
    url_suffix: "",
    unsigned: "all, unless request signing is on: for these, use the URL with the token",
    after_not_found: "sends each three more times, and expects 2xx for every callback",
    console: &[
        "Set `callback_url` of the conversation's configuration to the URL.",
        "Enable request signing, and set `CONVERSATION_WEBHOOK_SECRET` to its secret. If the service offers no signing, set `CONVERSATION_URL_TOKEN` and use the URL that `waybill check` prints, which ends with the token.",
        "If the service publishes its addresses, also set `CONVERSATION_ALLOWED_IPS` to them, and `TRUSTED_PROXIES` to your proxy's.",
    ],
    stored_headers: &[],
    invalid_payload: InvalidPayload::Accept,
    connect,
    signer: signed_body::signer,
    generate: signed_body::generate,
};

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    let mut account = SignedBody::new(settings, payload::parse);
    account.limits = Limits {
        per_minute: settings.number("RATE_LIMIT").unwrap_or(100),
        concurrent: settings.number("MAX_CONCURRENT").unwrap_or(10),
    };
    account.allowed_ips = settings.networks("ALLOWED_IPS");
    account.connect(settings)
}
