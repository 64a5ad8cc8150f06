//! Vonage (Nexmo).
//!
//! **Sends** two families to one URL, and the account decides which. The SMS API: flat hyphenated fields as GET query, form
//! or JSON. The Messages API (also Verify and Voice): JSON with a bearer token.
//! **Signs** the SMS API by a parameter `sig` only if Vonage's support switched it on; the other family by an HS256 token.
//! **Not covered**: the URL; of `sig` also the time, unless `VONAGE_SIGNATURE_TOLERANCE` is set.
//! **Identity across retries**: the parameters without `timestamp`, `nonce`, `message-timestamp`; or the body.
//! **Retries**: on 429 and 5xx for 24 h; 3 s to connect, 15 s for an answer. **Wants** 200.
//! **Quirks**: when a number's URL is set Vonage sends an empty GET and demands 200. After an internal error a callback may
//! come unsigned; a 5xx brings it again, signed. `to` of a receipt is the sender. One message has several receipts, so
//! `messageId` alone identifies nothing. `scts` has no zone and is never used.
//!
//! Sources (read 2026-11-22): Vonage docs "Delivery receipts", "Inbound SMS", "Signing messages", "Signed webhooks",
//! "Messages API webhooks", "Verify v2 callbacks", "Voice webhooks"; help articles 360028543292, 226572227; vonage-php,
//! vonage-java, vonage-node, vonage-ruby, vonage-python; nexmo-spec.

mod messages;
mod sms;
mod voice;

use std::sync::LazyLock;

use serde_json::Value;
use strum::VariantArray;

use crate::{
    callback::{Callback, Payload, VerifiedCallback},
    config::settings::Settings,
    errors::{ErrorTable, LazyTable},
    event::{Event, EventType, ExternalId},
    form::Form,
    json,
    provider::{InvalidPayload, NearMiss, Provider, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{
        Outgoing, Proof, Rejected, Scheme, jwt, md5_plain,
        sms::{self as sms_scheme, Method},
        url_token,
    },
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

pub(super) static SPEC: Spec = Spec {
    name: "vonage",
    title: "Vonage",
    methods: &["GET", "POST"],
    settings: &[
        Setting {
            name: "SIGNATURE_SECRET",
            doc: "Signature secret of the account (not the API secret).",
            example: "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k",
            kind: SettingKind::Proof { fresh: |random| hex::encode(random) },
        },
        Setting::url_token("vn-3f5268806e2f4a1c7b9d530c4e1b7a9d"),
        Setting {
            name: "SIGNATURE_METHOD",
            doc: "Signature method of the account: `md5hash`, `md5`, `sha1`, `sha256` or `sha512`.",
            example: "md5hash",
            kind: SettingKind::Option,
        },
        Setting {
            name: "API_KEY",
            doc: "If set, payloads of any other account are refused.",
            example: "abcd1234",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SIGNATURE_TOLERANCE",
            doc: "Seconds by which the signed `timestamp` of the SMS API may differ from the clock; unset = any.",
            example: "",
            kind: SettingKind::Option,
        },
    ],
    schemes: &[&sms_scheme::SCHEME, &jwt::SCHEME, &md5_plain::SCHEME, &url_token::SCHEME],
    routes: &[],
    url_suffix: "",
    unsigned: "the SMS API, until Vonage's support switches signed webhooks on: use the URL with the token for it",
    console: &[
        "Dashboard → API settings: paste the URL into *Inbound SMS webhooks* and *Delivery receipts (DLR) webhooks*; any of GET, POST and POST-JSON will do. For the Messages API paste it into *Inbound URL* and *Status URL* of the application.",
        "Copy the *signature secret* from the same page into `VONAGE_SIGNATURE_SECRET`, and its *signature method* into `VONAGE_SIGNATURE_METHOD`.",
        "The SMS API signs webhooks only after Vonage's support has switched it on for the account (the switch in the dashboard is for sending). Until then set `VONAGE_URL_TOKEN` and paste the URL that `waybill check` prints, with the token at its end.",
    ],
    kept_headers: &[],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
};

/// One account at Vonage.
#[derive(Clone)]
struct Vonage {
    secrets: Vec<Secret>,
    method: Method,
    api_key: Option<String>,
    tolerance: Option<u64>,
    schemes: Vec<&'static Scheme>,
    url_tokens: Vec<Secret>,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let vonage = Vonage {
        secrets: settings.secrets("SIGNATURE_SECRET"),
        method: settings.word("SIGNATURE_METHOD", "expected `md5hash`, `md5`, `sha1`, `sha256` or `sha512`"),
        api_key: settings.text("API_KEY"),
        tolerance: settings.number("SIGNATURE_TOLERANCE").and_then(|seconds| u64::try_from(seconds).ok()),
        schemes: settings.schemes(),
        url_tokens: settings.url_tokens(),
    };
    settings.provider(!vonage.secrets.is_empty() || !vonage.url_tokens.is_empty(), vonage)
}

impl Vonage {
    fn is_on(&self, scheme: &Scheme) -> bool {
        scheme.is_among(&self.schemes)
    }

    /// The proof, whatever account the payload is of.
    fn prove<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        if callback.body.is_empty() && callback.query().is_empty() {
            return Err(Rejected::Probe);
        }
        // What is signed must be right, whatever the URL, if there is a secret to tell.
        if !self.secrets.is_empty() {
            if jwt::bearer(callback)?.is_some() {
                if !self.is_on(&jwt::SCHEME) {
                    return Err(Rejected::SchemeOff);
                }
                return jwt::verify(callback, &self.secrets, self.api_key.as_deref());
            }
            if sms_scheme::claimed(callback) {
                return self.prove_parameters(callback);
            }
        }
        if callback.url_token.is_some() {
            return url_token::verify(callback);
        }
        let is_signed_kind = !self.secrets.is_empty() && self.is_on(&jwt::SCHEME) && is_of_signed_family(callback);
        Err(if is_signed_kind { Rejected::Unsigned } else { Rejected::Missing })
    }

    /// Both kinds of `sig` look alike; no string is signed by both.
    fn prove_parameters<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let mut failure = Rejected::SchemeOff;
        if self.is_on(&sms_scheme::SCHEME) {
            match sms_scheme::verify(callback, &self.secrets, self.method, self.tolerance) {
                Err(rejected) => failure = rejected,
                proof => return proof,
            }
        }
        if self.is_on(&md5_plain::SCHEME) {
            return md5_plain::verify(callback, &self.secrets, self.tolerance);
        }
        Err(failure)
    }

    /// Whether the payload says that it is of the configured account. Old callbacks name none.
    fn is_ours(&self, callback: &Callback) -> bool {
        let Some(expected) = &self.api_key else { return true };
        let Ok(Fields { form, .. }) = Fields::read(callback) else { return true };
        ["api-key", "api_key"].iter().all(|name| form.text(name).is_none_or(|given| given == expected.as_str()))
    }
}

/// Whether an unsigned request is of the family that Vonage signs. Nothing else is concluded from it.
fn is_of_signed_family(callback: &Callback) -> bool {
    let Ok(Fields { form, document: Some(_) }) = Fields::read(callback) else { return false };
    ["message_uuid", "request_id", "conversation_uuid"].iter().any(|name| form.has(name))
}

/// A payload's top level, and the whole of it if it is JSON.
struct Fields<'c> {
    form: Form<'c>,
    document: Option<Value>,
}

impl<'c> Fields<'c> {
    fn read(callback: &'c Callback) -> Result<Self, Unparsable> {
        // `sig` is over the parameters and verified by their type; all else by the bytes.
        let payload = if sms_scheme::claimed(callback) { callback.payload() } else { callback.payload_by_bytes() };
        // A blank may have been left out of what was signed, so that only what is none is read: it decides nothing.
        match payload {
            Payload::Form(form) => Ok(Self { form: form.without_blanks("text"), document: None }),
            Payload::Document(body) => {
                let document = json::read(body)?;
                let nothing = serde_json::Map::new();
                let form = Form::of_members(document.as_object().unwrap_or(&nothing)).without_blanks("text");
                Ok(Self { form, document: Some(document) })
            }
        }
    }
}

/// A value that is there. The text `null` is how some callbacks write that there is none.
fn present(form: &Form<'_>, name: &str) -> Option<String> {
    form.owned(name).filter(|value| value != "null")
}

impl Provider for Vonage {
    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let proof = self.prove(callback)?;
        if self.is_ours(callback) { Ok(proof) } else { Err(Rejected::OtherAccount) }
    }

    fn proof_headers(&self) -> Vec<String> {
        vec!["authorization".to_owned()]
    }

    fn signed_at(&self, callback: &Callback) -> Option<i64> {
        jwt::signed_at(callback).or_else(|| sms_scheme::signed_at(callback))
    }

    fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        // A token in the URL would be taken for the proof.
        let callback = &Callback { url_token: None, ..callback.clone() };
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback) {
            return Some(NearMiss::scheme_off(&proof));
        }
        let any_account = Self { api_key: None, ..self.clone() };
        if any_account.verify(callback).is_ok() {
            let says = "is of another account than the payload; the signature is right".to_owned();
            return Some(NearMiss { setting: "API_KEY", says });
        }
        let by_other = |method: &&Method| Self { method: **method, ..self.clone() }.verify(callback).is_ok();
        let method: &str = Method::VARIANTS.iter().find(by_other)?.into();
        Some(NearMiss { setting: "SIGNATURE_METHOD", says: format!("should be `{method}`, by which the signature is right") })
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        let Fields { form, document } = Fields::read(callback)?;
        let event = match document {
            Some(document) if form.has("message_uuid") => messages::read(&document)?,
            _ if form.has("messageId") => sms::read(&form)?,
            _ if form.has("request_id") => verification(&form),
            _ if form.has("conversation_uuid") && (form.has("uuid") || form.has("call_uuid")) => voice::read(&form)?,
            _ if form.has("err-code") || (form.has("msisdn") && form.has("to")) => {
                return Err(Unparsable::Invalid("a receipt or message without messageId"));
            }
            Some(_) if form.has("channel") && (form.has("status") || form.has("message_type")) => {
                return Err(Unparsable::Invalid("a status or message without message_uuid"));
            }
            _ => Event::aside(EventType::Unknown, ""),
        };
        Ok(vec![event])
    }

    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (self.secrets.first(), self.url_tokens.first()) {
            (_, Some(token)) if scheme.name == url_token::SCHEME.name => url_token::sign(token, outgoing),
            (Some(secret), _) if scheme.name == sms_scheme::SCHEME.name => sms_scheme::sign(secret, self.method, outgoing),
            (Some(secret), _) if scheme.name == md5_plain::SCHEME.name => md5_plain::sign(secret, outgoing),
            (Some(secret), _) => jwt::sign(secret, self.api_key.as_deref().unwrap_or("abcd1234"), outgoing),
            _ => {}
        }
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.url_tokens
    }
}

/// Verify v2: recognised and kept.
fn verification(form: &Form<'_>) -> Event {
    let mut event = Event::aside(EventType::VerificationUpdated, &form.text("type").unwrap_or_default());
    event.external_id = form.text("request_id").as_deref().and_then(ExternalId::new);
    event.provider_status = form.owned("status");
    event
}
