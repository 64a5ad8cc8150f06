//! The conversation service whose document the user follows: a chat platform that tells of each message.
//!
//! **Sends** a JSON POST for each message that is created or processed, in either direction.
//! **Signs**, optionally, the hex HMAC-SHA256 of the body in a header; recommends a list of addresses.
//! **Not covered**: the URL and the time.
//! **Identity across retries**: the body. The message's id alone would drop its later statuses.
//! **Retries**: 3, after 4, 8 and 10 s, for any answer but 2xx; 30 s for an answer. **Wants** 2xx always, so that whatever
//! is authentic is acknowledged.
//! **Limits**: 100 a minute and 10 at once; the answers tell what is left.
//!
//! Source: the user's guide "Webhook Integration Guide" (conversation messages; read 2026-11-22).

mod payload;

use ipnet::IpNet;

use super::signed_body::{SCHEMES, SIGNATURE_HEADER, SignedBody};
use crate::{
    callback::{Callback, VerifiedCallback},
    config::settings::Settings,
    event::Event,
    limiter::Limits,
    provider::{InvalidPayload, NearMiss, Provider, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{Outgoing, Proof, Rejected, Scheme},
};

pub(super) static SPEC: Spec = Spec {
    name: "conversation",
    title: "Conversation",
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "The secret with which the sender signs its bodies.",
            example: "b17d9f3c5a8e4062917c3e5f0a8b6d24",
            kind: SettingKind::Proof { fresh: |random| hex::encode(random) },
        },
        SIGNATURE_HEADER,
        Setting::url_token("cv-7a9d3f52b688006e2f4a1c7b9d530c4e"),
        Setting::allowed_ips(),
        Setting {
            name: "RATE_LIMIT",
            doc: "Genuine callbacks taken in any 60 seconds; 0 = no limit of its own.",
            example: "100",
            kind: SettingKind::Option,
        },
        Setting {
            name: "MAX_CONCURRENT",
            doc: "Genuine callbacks in work at once; 0 = no limit.",
            example: "10",
            kind: SettingKind::Option,
        },
    ],
    schemes: &SCHEMES,
    routes: &[],
    url_suffix: "",
    unsigned: "all, unless request signing is on: then use the URL with the token",
    console: &[
        "Put the URL into `callback_url` of the conversation's configuration.",
        "Switch request signing on and put its secret into `CONVERSATION_WEBHOOK_SECRET`; if that is not offered, set `CONVERSATION_URL_TOKEN` and use the URL that `waybill check` prints, with the token at its end.",
        "If the service tells its addresses, put them into `CONVERSATION_ALLOWED_IPS` as well (and your proxy's into `TRUSTED_PROXIES`).",
    ],
    kept_headers: &[],
    invalid_payload: InvalidPayload::Accept,
    connect,
};

/// One account of the service.
struct Conversation {
    proofs: SignedBody,
    allowed_ips: Vec<IpNet>,
    limits: Limits,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let proofs = SignedBody::read(settings);
    let limits = Limits {
        per_minute: settings.number("RATE_LIMIT").unwrap_or(100),
        concurrent: settings.number("MAX_CONCURRENT").unwrap_or(10),
    };
    let allowed_ips = settings.networks("ALLOWED_IPS");
    settings.provider(proofs.is_configured(), Conversation { proofs, allowed_ips, limits })
}

impl Provider for Conversation {
    fn may_be_genuine(&self, head: &Callback) -> bool {
        self.proofs.is_signed(head)
    }

    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        self.proofs.verify(callback)
    }

    fn proof_headers(&self) -> Vec<String> {
        self.proofs.proof_headers()
    }

    fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        self.proofs.near_miss(callback)
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        payload::read(&callback.body)
    }

    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        self.proofs.sign(scheme, outgoing);
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.proofs.url_tokens
    }

    fn allowed_ips(&self) -> &[IpNet] {
        &self.allowed_ips
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}
