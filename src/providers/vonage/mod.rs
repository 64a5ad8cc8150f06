//! Vonage (Nexmo).
//!
//! **Sends** two families to one URL, by the configuration of the account. The SMS API: flat hyphenated fields as GET query, form
//! or JSON. The Messages API (also Verify and Voice): JSON with a bearer token.
//! **Signs** the SMS API by a parameter `sig` only if Vonage's support has enabled it; the other family with an HS256 token.
//! **Not covered**: the URL; for `sig` also the time, unless `VONAGE_SIGNATURE_TOLERANCE` is set.
//! **Identity across retries**: the parameters without `timestamp`, `nonce`, `message-timestamp`; or the body.
//! **Retries**: on 429 and 5xx for 24 h; 3 s to connect, 15 s for a response. **Wants** 200.
//! **Quirks**: when a number's URL is set, Vonage sends an empty GET and requires 200. After an internal error a callback may
//! arrive unsigned; after a 5xx response Vonage sends it again, signed. `to` of a receipt is the sender. One message has
//! several receipts, so `messageId` alone identifies nothing. `scts` has no zone and is never used.
//!
//! Sources (read 2026-11-22): Vonage docs "Delivery receipts", "Inbound SMS", "Signing messages", "Signed webhooks",
//! "Messages API webhooks", "Verify v2 callbacks", "Voice webhooks"; help articles 360028543292, 226572227; vonage-php,
//! vonage-java, vonage-node, vonage-ruby, vonage-python; nexmo-spec.

mod inbound;
mod kind;
mod messages;
mod signer;
mod sms;
mod voice;

use std::sync::LazyLock;

use serde_json::Value;
use strum::VariantArray;

use self::kind::Kind;
use crate::{
    callback::{Callback, Payload, PayloadKind},
    event::{Event, EventType, ExternalId},
    form::Form,
    provider::{InvalidPayload, NearMiss, ParseError, Parsed, Provider, Setting, SettingKind, Settings, Spec},
    providers::error_codes::{ErrorTable, LazyTable},
    secret::Secret,
    signature::{
        HmacSha256Key, Proof, Readable, Scheme, SignedParameters, VerifyError, Work, jwt, md5_plain,
        sms::{self as sms_scheme, Method},
        url_token,
    },
    status::Channel,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

pub(super) static SPEC: Spec = Spec {
    name: "vonage",
    title: "Vonage",
    channels: &[Channel::Sms, Channel::Mms, Channel::Whatsapp, Channel::Rcs, Channel::Chat, Channel::Voice],
    methods: &["GET", "POST"],
    settings: &[
        Setting {
            name: "SIGNATURE_SECRET",
            doc: "Signature secret of the account, not the API secret.",
            example: "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k",
            kind: SettingKind::Proof,
        },
        Setting::url_token("vn-3f5268806e2f4a1c7b9d530c4e1b7a9d"),
        Setting {
            name: "SIGNATURE_METHOD",
            doc: "Signature method of the account: `md5hash`, `md5`, `sha1`, `sha256` or `sha512`. With any but `md5hash`, the scheme `md5-plain` is accepted only if VONAGE_SIGNATURE_SCHEMES names it.",
            example: "md5hash",
            kind: SettingKind::Option,
        },
        Setting {
            name: "API_KEY",
            doc: "If set, payloads of other accounts are rejected.",
            example: "abcd1234",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SIGNATURE_TOLERANCE",
            doc: "Maximum difference in seconds between the signed `timestamp` of the SMS API and the clock. If unset, any.",
            example: "",
            kind: SettingKind::Option,
        },
    ],
    schemes: &[&sms_scheme::SCHEME, &jwt::SCHEME, &md5_plain::SCHEME, &url_token::SCHEME],
    routes: &[],
    url_suffix: "",
    unsigned: "the SMS API, until Vonage's support enables signed webhooks: for these, use the URL with the token",
    after_not_found: "",
    console: &[
        "Dashboard → API settings: paste the URL into *Inbound SMS webhooks* and *Delivery receipts (DLR) webhooks*. GET, POST and POST-JSON all work. For the Messages API, paste it into *Inbound URL* and *Status URL* of the application.",
        "From the same page, copy the *signature secret* to `VONAGE_SIGNATURE_SECRET` and the *signature method* to `VONAGE_SIGNATURE_METHOD`.",
        "The SMS API signs webhooks only after Vonage's support has enabled it for the account (the switch in the dashboard is for sending). Until then, set `VONAGE_URL_TOKEN` and paste the URL that `waybill check` prints, which ends with the token.",
    ],
    stored_headers: &[],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
    signer: signer::signer,
    generate,
};

/// An account at Vonage.
#[derive(Clone)]
struct Vonage {
    secrets: Vec<Secret>,
    /// The secrets as keys of the scheme `sms`.
    sms_keys: Vec<sms_scheme::Key>,
    /// The secrets as keys of the scheme `jwt`.
    jwt_keys: Vec<HmacSha256Key>,
    api_key: Option<String>,
    tolerance: Option<u64>,
    schemes: Vec<&'static Scheme>,
    url_tokens: Vec<Secret>,
}

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    let secrets = settings.secrets("SIGNATURE_SECRET");
    let method = signature_method(settings);
    let mut schemes = settings.schemes();
    // The plain hash of the integration guide is no weaker than `md5hash`. An account with a real MAC accepts it only if it is named.
    if method != Method::Md5Hash && !settings.is_set("SIGNATURE_SCHEMES") {
        schemes.retain(|scheme| scheme.name != md5_plain::SCHEME.name);
    }
    let vonage = Vonage {
        sms_keys: sms_keys(&secrets, method),
        jwt_keys: secrets.iter().map(|secret| HmacSha256Key::new(secret.bytes())).collect(),
        secrets,
        api_key: settings.text("API_KEY"),
        tolerance: settings.number("SIGNATURE_TOLERANCE").and_then(|seconds| u64::try_from(seconds).ok()),
        schemes,
        url_tokens: settings.url_tokens(),
    };
    settings.provider(!vonage.secrets.is_empty() || !vonage.url_tokens.is_empty(), vonage)
}

fn signature_method(settings: &mut Settings<'_>) -> Method {
    settings.word("SIGNATURE_METHOD", "expected `md5hash`, `md5`, `sha1`, `sha256` or `sha512`")
}

fn generate(random: &[u8; 32]) -> Vec<(&'static str, String)> {
    ["SIGNATURE_SECRET", "URL_TOKEN"].map(|name| (name, hex::encode(random))).to_vec()
}

fn sms_keys(secrets: &[Secret], method: Method) -> Vec<sms_scheme::Key> {
    secrets.iter().map(|secret| sms_scheme::Key::new(secret, method)).collect()
}

impl Vonage {
    fn is_on(&self, scheme: &Scheme) -> bool {
        scheme.is_among(&self.schemes)
    }

    /// Verifies the signature or token, for a payload of any account.
    fn verify_signature<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        if callback.body.is_empty() && callback.query().is_empty() {
            return Err(VerifyError::Probe);
        }
        // A signature that is present must verify, even if the URL has a token.
        if !self.secrets.is_empty() {
            if jwt::bearer(callback)?.is_some() {
                if !self.is_on(&jwt::SCHEME) {
                    return Err(VerifyError::SchemeOff);
                }
                let proof = jwt::verify(callback, &self.jwt_keys, self.api_key.as_deref(), work)?;
                // If its `sig` is valid too, a copy without the token is verified by that, so it is the same request with either.
                return Ok(self.verify_parameters(callback, work).and_then(Result::ok).unwrap_or(proof));
            }
            if let Some(verified) = self.verify_parameters(callback, work) {
                return verified;
            }
        }
        if callback.url_token.is_some() {
            return url_token::verify(callback);
        }
        let is_signed_kind = !self.secrets.is_empty() && self.is_on(&jwt::SCHEME) && is_of_signed_family(callback);
        Err(if is_signed_kind { VerifyError::Unsigned } else { VerifyError::Missing })
    }

    /// Verifies the parameter `sig`, if there is one.
    fn verify_parameters<'c>(&self, callback: &'c Callback, work: &Work) -> Option<Result<Proof<'c>, VerifyError>> {
        let sms = self.is_on(&sms_scheme::SCHEME).then_some(self.sms_keys.as_slice());
        let md5_plain = self.is_on(&md5_plain::SCHEME).then_some(self.secrets.as_slice());
        SignedParameters::decode(callback).map(|parameters| parameters.verify(sms, md5_plain, self.tolerance, work))
    }

    /// Returns true unless the payload names another account than the configured one. Older callbacks name none.
    fn is_of_account(&self, proof: &Proof<'_>) -> bool {
        let Some(expected) = &self.api_key else { return true };
        let Ok(Fields { form, .. }) = Fields::new(proof.payload()) else { return true };
        ["api-key", "api_key"].iter().all(|name| form.text(name).is_none_or(|given| given == expected.as_str()))
    }
}

/// Returns true if an unsigned request belongs to the family that Vonage signs.
fn is_of_signed_family(callback: &Callback) -> bool {
    let payload = PayloadKind::Sniffed.decode(callback);
    let Ok(Fields { form, document: document @ Some(_) }) = Fields::new(&payload) else { return false };
    matches!(Kind::from_fields(&form, document), Kind::Message | Kind::Verification | Kind::Call)
}

/// The top level of a payload, and the whole document if it is JSON.
struct Fields<'p> {
    form: Form<'p>,
    document: Option<&'p Value>,
}

impl<'p> Fields<'p> {
    fn new(payload: &'p Payload<'_>) -> Result<Self, ParseError> {
        // The signed string may leave out blank values, so they are ignored.
        match payload {
            Payload::Form(form) => Ok(Self { form: form.borrowed().without_blanks("text"), document: None }),
            Payload::Document(document) => {
                let document = document.json()?;
                let form = document.as_object().map(Form::from_members).unwrap_or_default();
                Ok(Self { form: form.without_blanks("text"), document: Some(document) })
            }
        }
    }
}

/// A value that is present. Some callbacks write `null` for a missing one.
fn present(form: &Form<'_>, name: &str) -> Option<String> {
    form.owned(name).filter(|value| value != "null")
}

impl Provider for Vonage {
    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        let proof = self.verify_signature(callback, work)?;
        if self.is_of_account(&proof) { Ok(proof) } else { Err(VerifyError::OtherAccount) }
    }

    fn proof_headers(&self) -> Vec<String> {
        vec!["authorization".to_owned()]
    }

    fn signed_at(&self, callback: &Callback) -> Option<i64> {
        jwt::signed_at(callback).or_else(|| sms_scheme::signed_at(callback))
    }

    fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        // Without the token in the URL, which would verify it.
        let callback = &Callback { url_token: None, ..callback.clone() };
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback, work) {
            return Some(NearMiss::scheme_off(&proof));
        }
        let any_account = Self { api_key: None, ..self.clone() };
        if any_account.verify(callback, work).is_ok() {
            let says = "differs from the account of the payload; the signature is valid".to_owned();
            return Some(NearMiss { setting: "API_KEY", says });
        }
        let with = |method: Method| Self { sms_keys: sms_keys(&self.secrets, method), ..self.clone() };
        let by_other = |method: &&Method| with(**method).verify(callback, work).is_ok();
        let method: &str = Method::VARIANTS.iter().find(by_other)?.into();
        Some(NearMiss { setting: "SIGNATURE_METHOD", says: format!("should be `{method}`, with which the signature is valid") })
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        Parsed::with_json_reply(Fields::new(callback.payload()).and_then(|fields| parse(&fields)).map(|event| vec![event]))
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.url_tokens
    }
}

/// The event of a payload.
fn parse(Fields { form, document }: &Fields<'_>) -> Result<Event, ParseError> {
    match (Kind::from_fields(form, *document), document) {
        (Kind::Message, Some(document)) => messages::parse(document),
        (Kind::Sms, _) => sms::parse(form),
        (Kind::Verification, _) => Ok(verification(form)),
        (Kind::Call, _) => voice::parse(form),
        _ => Ok(Event::informational(EventType::Unknown, "")),
    }
}

/// The event of Verify v2; it is only stored.
fn verification(form: &Form<'_>) -> Event {
    let mut event = Event::informational(EventType::VerificationUpdated, &form.text("type").unwrap_or_default());
    event.external_id = form.text("request_id").as_deref().and_then(ExternalId::new);
    event.provider_status = form.owned("status");
    event
}
