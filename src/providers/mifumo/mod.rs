//! Mifumo SMS.
//!
//! **Sends** JSON POSTs: `message.sent` once with all recipients, `message.delivered` and `message.failed` per recipient.
//! **Signs** the hex HMAC-SHA256 of the body in `X-Webhook-Signature` (only shown as a comment in the guide, so the header
//! is configurable), or not at all.
//! **Not covered**: the URL and the time.
//! **Identity across retries**: the body.
//! **Retries**: 3, after 1, 5 and 15 minutes; 30 s for an answer. **Wants** 200.
//! **Quirks**: one `message_id` for all recipients, so that a row is per recipient; `cost` is that of the whole message.
//!
//! Source: the user's guide "Webhook Integration Guide" of Mifumo SMS (read 2026-11-22); no outgoing signature was found in
//! the vendor's public code.

mod payload;

use super::signed_body::{SCHEMES, SIGNATURE_HEADER, SignedBody};
use crate::{
    callback::{Callback, VerifiedCallback},
    config::settings::Settings,
    event::Event,
    provider::{InvalidPayload, NearMiss, Provider, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{Outgoing, Proof, Rejected, Scheme},
};

pub(super) static SPEC: Spec = Spec {
    name: "mifumo",
    title: "Mifumo",
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "The secret with which the sender signs its bodies.",
            example: "5e8c1f04a9b7d3626c0f8e1d4b7a9053",
            kind: SettingKind::Proof { fresh: |random| hex::encode(random) },
        },
        SIGNATURE_HEADER,
        Setting::url_token("mf-0c4e1b7a9d3f5268806e2f4a1c7b9d53"),
    ],
    schemes: &SCHEMES,
    routes: &[],
    url_suffix: "",
    unsigned: "all, unless the webhook has a secret: then use the URL with the token",
    console: &[
        "Dashboard → Settings → API & Webhooks → + Add Webhook.",
        "Paste the URL into the webhook's URL and tick all three events. If the dashboard shows no secret, set `MIFUMO_URL_TOKEN` and paste the URL that `waybill check` prints, with the token at its end.",
    ],
    kept_headers: &[],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
};

/// One account at Mifumo.
struct Mifumo {
    proofs: SignedBody,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let proofs = SignedBody::read(settings);
    settings.provider(proofs.is_configured(), Mifumo { proofs })
}

impl Provider for Mifumo {
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
}
