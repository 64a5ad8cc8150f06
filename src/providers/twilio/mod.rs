//! Twilio Programmable Messaging.
//!
//! **Sends** a form POST for each status of a message and for each inbound message (there also as GET), form POSTs about
//! calls, and, where an Event Streams sink is set up, JSON POSTs of one CloudEvent or an array of them.
//! **Signs** `X-Twilio-Signature`: base64 HMAC-SHA1 of the public URL and the sorted parameters, key = the account's
//! primary auth token; a sub-account signs with its own token. JSON is covered by `bodySHA256` in the URL. In public
//! beta: shared keys, named by `X-Twilio-Webhooks-Signature-Settings`.
//! **Not covered**: the time, the method, and the boundaries between names and values; hence the shape check.
//! **Identity across retries**: the signed string; of a CloudEvent its source and id. `I-Twilio-Idempotency-Token` is
//! unsigned and only kept.
//! **Retries**: by default one, on connection failure only; `#rc=5&rp=all` on the URL asks for five, 15 s in all. Event
//! Streams try for 4 hours.
//! **Wants** any 2xx; of an inbound message TwiML, or it logs error 12300.
//! **Quirks**: `RawDlrDoneDate` has no zone and is never used; order of arrival means nothing; the first status is never
//! sent; `ErrorCode` beside `ErrorUrl` is about a URL of ours that failed, not about the message; Event Streams write
//! the status in upper case.
//!
//! Sources (read 2026-11-22): Twilio docs "Security", "Track the Message Status of Outbound Messages", "Messages
//! resource", "Twilio's request to your incoming message Webhook URL", "Webhooks: Connection Overrides", "Event Streams";
//! twilio-python 9.13.0, twilio-node 6.2.0, twilio-go.

mod event_stream;
mod shared_key;

use std::sync::LazyLock;

use self::shared_key::SharedKey;
use super::cxml::{
    self,
    shape::{self, Kind},
};
use crate::{
    callback::{Callback, Payload, VerifiedCallback},
    config::settings::Settings,
    errors::{ErrorTable, LazyTable},
    event::Event,
    form::Form,
    provider::{InvalidPayload, NearMiss, Provider, Reply, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{
        Outgoing, Proof, Rejected, Scheme, body_only,
        body_sha256::{self, Prefix},
        request::{self, Algorithm, Key, Repeated},
    },
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

const SIGNATURE: &str = "x-twilio-signature";

pub(super) static SPEC: Spec = Spec {
    name: "twilio",
    title: "Twilio",
    methods: &["POST", "GET"],
    settings: &[
        Setting {
            name: "AUTH_TOKEN",
            doc: "Primary auth token of the account (a sub-account has its own).",
            example: "3f1c9a0e5b7d42688c14d2a96f0b7e35",
            kind: SettingKind::Proof { fresh: |random| hex::encode(&random[..16]) },
        },
        Setting {
            name: "SHARED_KEY",
            doc: "Shared key of Twilio's webhook settings (public beta): `id:algorithm:secret`, the algorithm HMAC_SHA1 or HMAC_SHA256.",
            example: "webhooks_sharedkey_01:HMAC_SHA256:9d2b6c1f4e8a70355b1d0c6e2f7a9384",
            kind: SettingKind::Proof { fresh: shared_key::fresh },
        },
        Setting {
            name: "ACCOUNT_SID",
            doc: "If set, payloads of any other account are refused.",
            example: "AC00000000000000000000000000000000",
            kind: SettingKind::Option,
        },
        Setting {
            name: "PHONE_NUMBER",
            doc: "Known from the sending application; not used here.",
            example: "+15017250604",
            kind: SettingKind::Unused,
        },
    ],
    schemes: &[&request::SCHEME, &body_sha256::SCHEME],
    routes: &[],
    url_suffix: "#rc=5&rp=all",
    unsigned: "",
    console: &[
        "Console → Phone Numbers → Manage → Active numbers, or Messaging → Services → your service → Integration.",
        "Paste the URL into *Status callback URL* (a Messaging Service: *Delivery Status Callback*), or send it as `StatusCallback` with each message. For inbound messages paste it into *A message comes in* as well.",
        "Keep the `#rc=5&rp=all` at its end: without it Twilio does not try again after a failed answer.",
        "Copy the primary auth token from Account → API keys & tokens into `TWILIO_AUTH_TOKEN`.",
        "Optional, and the only way in which Twilio tries again for hours: Event Streams → a webhook sink with the same URL without its `#…`, subscribed to the messaging events.",
    ],
    kept_headers: &["i-twilio-idempotency-token", "x-home-region"],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
};

/// One Twilio account.
#[derive(Clone)]
struct Twilio {
    tokens: Vec<Secret>,
    /// The tokens again, as keys of the scheme `request`.
    keys: Vec<Key>,
    shared_keys: Vec<SharedKey>,
    account_sid: Option<String>,
    schemes: Vec<&'static Scheme>,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let tokens = settings.secrets("AUTH_TOKEN");
    let key = |(index, secret): (usize, &Secret)| Key { secret: secret.clone(), algorithm: Algorithm::HmacSha1, index };
    let keys: Vec<Key> = tokens.iter().enumerate().map(key).collect();
    let shared_keys = shared_key::read(settings, tokens.len());
    let account_sid = settings.text("ACCOUNT_SID");
    let schemes = settings.schemes();
    if tokens.is_empty() && !shared_keys.is_empty() && !request::SCHEME.is_among(&schemes) {
        settings.problem("SIGNATURE_SCHEMES", "expected `request` among them: a shared key signs by no other");
    }
    let has_proof = !tokens.is_empty() || !shared_keys.is_empty();
    settings.provider(has_proof, Twilio { tokens, keys, shared_keys, account_sid, schemes })
}

impl Twilio {
    fn prove<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        // Both schemes share the header; only the guide's carries a prefix.
        if body_sha256::claimed(callback, SIGNATURE)? {
            if !body_sha256::SCHEME.is_among(&self.schemes) {
                return Err(Rejected::SchemeOff);
            }
            return body_sha256::verify(callback, SIGNATURE, Prefix::Required, &self.tokens);
        }
        if !request::SCHEME.is_among(&self.schemes) {
            return Err(Rejected::SchemeOff);
        }
        let keys = shared_key::select(callback, &self.keys, &self.shared_keys)?;
        let proof = request::verify(callback, SIGNATURE, &keys, Repeated::Sorted)?;
        if shape::is_known(callback) { Ok(proof) } else { Err(Rejected::Shape) }
    }

    /// Whether the payload says that it is of the configured account.
    fn is_ours(&self, callback: &Callback, proof: &Proof<'_>) -> bool {
        let Some(expected) = &self.account_sid else { return true };
        match payload(callback, proof.scheme()) {
            Payload::Form(form) => {
                // Where the MAC has no delimiters, a field that is missing may have been moved into its neighbour.
                let may_be_missing = proof.scheme().name != request::SCHEME.name;
                let is_ours = form.text("AccountSid").map_or(may_be_missing, |given| given == expected.as_str());
                is_ours && !form.is_ambiguous("AccountSid")
            }
            Payload::Document(body) => event_stream::accounts(body).iter().all(|account| account == expected),
        }
    }
}

/// Verifier and reader see the same: the parameters where they are what is signed, else the bytes.
fn payload<'c>(callback: &'c Callback, scheme: &Scheme) -> Payload<'c> {
    if scheme.name == request::SCHEME.name { callback.payload() } else { callback.payload_by_bytes() }
}

impl Provider for Twilio {
    fn may_be_genuine(&self, head: &Callback) -> bool {
        head.headers.has(SIGNATURE)
    }

    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let proof = self.prove(callback)?;
        if self.is_ours(callback, &proof) { Ok(proof) } else { Err(Rejected::OtherAccount) }
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        let form = match payload(callback, callback.proof().scheme()) {
            Payload::Document(body) => return event_stream::read(body),
            Payload::Form(form) => form,
        };
        let signed_query = callback.proof().scheme().covers_url.then(|| Form::decode(callback.query().as_bytes()));
        let event = cxml::read(&form, signed_query.flatten().as_ref(), &ERRORS);
        event.map(|event| vec![event])
    }

    fn proof_headers(&self) -> Vec<String> {
        vec![SIGNATURE.to_owned(), shared_key::SETTINGS.to_owned()]
    }

    fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback) {
            return Some(NearMiss::scheme_off(&proof));
        }
        if self.prove(callback).is_ok() {
            let says = "is of another account than the payload; the signature is right".to_owned();
            return Some(NearMiss { setting: "ACCOUNT_SID", says });
        }
        body_only::near_miss(callback, SIGNATURE, "AUTH_TOKEN", &self.tokens)
    }

    fn reply(&self, callback: &VerifiedCallback<'_>) -> Reply {
        let is_inbound =
            matches!(payload(callback, callback.proof().scheme()), Payload::Form(form) if Kind::of(&form) == Kind::Inbound);
        if is_inbound { Reply::Twiml } else { Reply::Json }
    }

    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (self.tokens.first(), self.keys.first(), self.shared_keys.first()) {
            (Some(token), _, _) if scheme.name == body_sha256::SCHEME.name => {
                body_sha256::sign(token, "X-Twilio-Signature", Prefix::Required, outgoing);
            }
            (_, Some(key), _) => request::sign(key, "X-Twilio-Signature", outgoing),
            (_, _, Some(shared)) => {
                outgoing.headers.push(shared.header());
                request::sign(&shared.key, "X-Twilio-Signature", outgoing);
            }
            _ => {}
        }
    }
}
