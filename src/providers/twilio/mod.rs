//! Twilio Programmable Messaging.
//!
//! **Sends** a form POST for each status of a message and for each inbound message (there also as GET), form POSTs about
//! calls, and, where an Event Streams sink is set up, JSON POSTs of one CloudEvent or an array of them.
//! **Signs** `X-Twilio-Signature`: base64 HMAC-SHA1 of the public URL and the sorted parameters, key = the account's
//! primary auth token; a sub-account signs with its own token. JSON is covered by `bodySHA256` in the URL. In public
//! beta: shared keys, named by `X-Twilio-Webhooks-Signature-Settings`.
//! **Not covered**: the time, the method, and the boundaries between names and values; hence only listed shapes are parsed.
//! **Identity across retries**: the signed string; for a CloudEvent, its source and id. `I-Twilio-Idempotency-Token` is
//! unsigned and only stored.
//! **Retries**: by default one, on connection failure only; `#rc=5&rp=all` on the URL asks for five, 15 s in all. Event
//! Streams retry for 4 hours.
//! **Wants** any 2xx; for an inbound message TwiML, otherwise it logs error 12300.
//! **Quirks**: `RawDlrDoneDate` has no zone and is never used; the order of arrival is arbitrary; the first status is never
//! sent; `ErrorCode` beside `ErrorUrl` refers to a callback URL that failed, not to the message; Event Streams write
//! the status in upper case.
//!
//! Sources (read 2026-11-22): Twilio docs "Security", "Track the Message Status of Outbound Messages", "Messages
//! resource", "Twilio's request to your incoming message Webhook URL", "Webhooks: Connection Overrides", "Event Streams";
//! twilio-python 9.13.0, twilio-node 6.2.0, twilio-go.

mod event_stream;
mod shared_key;
mod signer;

use std::sync::LazyLock;

use self::shared_key::SharedKey;
use super::cxml::{
    self,
    shape::{self, Ids},
};
use crate::{
    callback::{Callback, Payload},
    provider::{InvalidPayload, NearMiss, Parsed, Provider, Setting, SettingKind, Settings, Spec},
    providers::error_codes::{ErrorTable, LazyTable},
    secret::Secret,
    signature::{
        HmacSha256Key, IsListed, Proof, Readable, Scheme, VerifyError, Work,
        body_sha256::{self, Prefix},
        request::{self, Algorithm, Key, Repeated},
    },
    status::Channel,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

const SIGNATURE: &str = "x-twilio-signature";

pub(super) static SPEC: Spec = Spec {
    name: "twilio",
    title: "Twilio",
    channels: &[Channel::Sms, Channel::Mms, Channel::Whatsapp, Channel::Rcs, Channel::Chat, Channel::Voice],
    methods: &["POST", "GET"],
    settings: &[
        Setting {
            name: "AUTH_TOKEN",
            doc: "Primary auth token of the account. A subaccount has its own.",
            example: "3f1c9a0e5b7d42688c14d2a96f0b7e35",
            kind: SettingKind::Proof,
        },
        Setting {
            name: "SHARED_KEY",
            doc: "Shared key of Twilio's webhook settings (public beta), `id:algorithm:secret`. The algorithm is HMAC_SHA1 or HMAC_SHA256.",
            example: "webhooks_sharedkey_01:HMAC_SHA256:9d2b6c1f4e8a70355b1d0c6e2f7a9384",
            kind: SettingKind::Proof,
        },
        Setting {
            name: "ACCOUNT_SID",
            doc: "If set, payloads of other accounts are rejected.",
            example: "AC00000000000000000000000000000000",
            kind: SettingKind::Option,
        },
        Setting {
            name: "PHONE_NUMBER",
            doc: "Used by applications that send; Waybill ignores it.",
            example: "+15017250604",
            kind: SettingKind::Option,
        },
    ],
    schemes: &[&request::SCHEME, &body_sha256::SCHEME],
    routes: &[],
    url_suffix: "#rc=5&rp=all",
    unsigned: "",
    after_not_found: "logs each as an error, sends it up to five more times with `#rc=5&rp=all`, and those of Event Streams for four hours",
    console: &[
        "Console → Phone Numbers → Manage → Active numbers, or Messaging → Services → your service → Integration.",
        "Paste the URL into *Status callback URL* (for a Messaging Service, *Delivery Status Callback*), or send it as `StatusCallback` with each message. For inbound messages, also paste it into *A message comes in*.",
        "Keep the suffix `#rc=5&rp=all`: without it Twilio does not retry after an error response.",
        "Copy the primary auth token from Account → API keys & tokens to `TWILIO_AUTH_TOKEN`.",
        "Optional: under Event Streams, create a webhook sink with the same URL without its `#…`, and subscribe it to the messaging events. Only Event Streams retry for hours.",
    ],
    stored_headers: &["i-twilio-idempotency-token", "x-home-region"],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
    signer: signer::signer,
    generate,
};

/// A Twilio account.
#[derive(Clone)]
struct Twilio {
    tokens: Vec<Secret>,
    /// The tokens as keys of the scheme `request`.
    keys: Vec<Key>,
    /// The tokens as keys of the scheme `body-sha256`.
    body_keys: Vec<HmacSha256Key>,
    shared_keys: Vec<SharedKey>,
    account_sid: Option<String>,
    schemes: Vec<&'static Scheme>,
}

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    let tokens = settings.secrets("AUTH_TOKEN");
    let keys = tokens.iter().enumerate().map(|(index, secret)| Key::new(secret, Algorithm::HmacSha1, index)).collect();
    let body_keys = tokens.iter().map(|secret| HmacSha256Key::new(secret.bytes())).collect();
    let shared_keys = shared_key::read(settings, tokens.len());
    let account_sid = settings.text("ACCOUNT_SID");
    let schemes = settings.schemes();
    if tokens.is_empty() && !shared_keys.is_empty() && !request::SCHEME.is_among(&schemes) {
        settings.problem("SIGNATURE_SCHEMES", "expected a list that includes `request`, the only scheme of shared keys");
    }
    let has_proof = !tokens.is_empty() || !shared_keys.is_empty();
    settings.provider(has_proof, Twilio { tokens, keys, body_keys, shared_keys, account_sid, schemes })
}

fn generate(random: &[u8; 32]) -> Vec<(&'static str, String)> {
    vec![("AUTH_TOKEN", hex::encode(&random[..16])), ("SHARED_KEY", shared_key::generate(random))]
}

impl Twilio {
    fn verify_signature<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        // Both schemes use the header; only that of the integration guide has a prefix.
        if body_sha256::is_prefixed(callback, SIGNATURE)? {
            if !body_sha256::SCHEME.is_among(&self.schemes) {
                return Err(VerifyError::SchemeOff);
            }
            return body_sha256::verify(callback, SIGNATURE, Prefix::Required, &self.body_keys, work);
        }
        if !request::SCHEME.is_among(&self.schemes) {
            return Err(VerifyError::SchemeOff);
        }
        let keys = shared_key::select(callback, &self.keys, &self.shared_keys)?;
        request::verify(callback, SIGNATURE, &keys, Repeated::Sorted, self.is_listed(), work)
    }

    /// Returns true if the payload names the configured account.
    fn is_of_account(&self, proof: &Proof<'_>) -> bool {
        let Some(expected) = &self.account_sid else { return true };
        match proof.payload() {
            Payload::Form(form) => {
                let is_of_account = form.text("AccountSid").is_none_or(|given| given == expected.as_str());
                is_of_account && !form.is_ambiguous("AccountSid")
            }
            Payload::Document(document) => event_stream::accounts(document).all(|account| account == expected),
        }
    }
}

impl Provider for Twilio {
    fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        if head.headers.has(SIGNATURE) { Ok(()) } else { Err(VerifyError::Missing) }
    }

    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        let proof = self.verify_signature(callback, work)?;
        if self.is_of_account(&proof) { Ok(proof) } else { Err(VerifyError::OtherAccount) }
    }

    fn is_listed(&self) -> IsListed {
        |callback, payload, joined| shape::is_listed(callback, payload, joined, Ids::Any)
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        match callback.payload() {
            Payload::Document(document) => Parsed::with_json_reply(event_stream::parse(document)),
            Payload::Form(form) => cxml::parse(form, callback, &ERRORS),
        }
    }

    fn proof_headers(&self) -> Vec<String> {
        vec![SIGNATURE.to_owned(), shared_key::SETTINGS.to_owned()]
    }

    fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback, work) {
            return Some(NearMiss::scheme_off(&proof));
        }
        if self.verify_signature(callback, work).is_ok() {
            let says = "differs from the account of the payload; the signature is valid".to_owned();
            return Some(NearMiss { setting: "ACCOUNT_SID", says });
        }
        NearMiss::body_only(callback, SIGNATURE, "AUTH_TOKEN", &self.tokens, work)
    }
}
