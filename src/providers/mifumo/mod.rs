//! Mifumo SMS.
//!
//! **Sends** JSON POSTs: `message.sent` once with all recipients, `message.delivered` and `message.failed` per recipient.
//! **Signs** the hex HMAC-SHA256 of the body in `X-Webhook-Signature` (the guide shows it only in a comment, so the
//! header is configurable), or not at all.
//! **Not covered**: the URL and the time.
//! **Identity across retries**: the body.
//! **Retries**: 3, after 1, 5 and 15 minutes; waits 30 s for a response. **Wants** 200.
//! **Quirks**: one `message_id` for all recipients, so there is one row per recipient; `cost` is for the whole message.
//!
//! Source: the integration guide "Webhook Integration Guide" of Mifumo SMS (read 2026-11-22); no outgoing signature was found in
//! the vendor's public code.

mod payload;

use super::signed_body::{self, SCHEMES, SIGNATURE_HEADER, SignedBody};
use crate::{
    provider::{InvalidPayload, Provider, Setting, SettingKind, Settings, Spec},
    status::Channel,
};

pub(super) static SPEC: Spec = Spec {
    name: "mifumo",
    title: "Mifumo",
    channels: &[Channel::Sms],
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "Secret with which the sender signs the body.",
            example: "5e8c1f04a9b7d3626c0f8e1d4b7a9053",
            kind: SettingKind::Proof,
        },
        SIGNATURE_HEADER,
        Setting::url_token("mf-0c4e1b7a9d3f5268806e2f4a1c7b9d53"),
    ],
    schemes: &SCHEMES,
    routes: &[],
    url_suffix: "",
    unsigned: "all, unless the webhook has a secret: for these, use the URL with the token",
    after_not_found: "sends each three more times over 21 minutes",
    console: &[
        "Dashboard → Settings → API & Webhooks → + Add Webhook.",
        "Paste the URL and select all three events. If the dashboard shows no secret, set `MIFUMO_URL_TOKEN` and paste the URL that `waybill check` prints, which ends with the token.",
    ],
    stored_headers: &[],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
    signer: signed_body::signer,
    generate: signed_body::generate,
};

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    SignedBody::new(settings, payload::parse).connect(settings)
}
