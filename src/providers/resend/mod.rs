//! Resend.
//!
//! **Sends** JSON POSTs: `{type, created_at, data}` for each event of an e-mail, a contact, a domain, ….
//! **Signs** by Svix: `svix-id`, `svix-timestamp`, `svix-signature`; every endpoint at Resend has its own secret.
//! **Not covered**: the URL.
//! **Identity across retries**: `svix-id`, the same for retries and manual replays. There is no event id in the body,
//! and `data.email_id` is shared by all events of one e-mail.
//! **Retries**: 8 attempts over 27 h 35 min for any response but 2xx; Resend disables an endpoint that fails for days.
//! **Wants** any 2xx, so an unknown type must never be rejected.
//! **Quirks**: an event has the recipient that it concerns in `to`, or the whole list; soft bounces arrive as `email.bounced`; `tags` is an object here
//! and an array when sending.
//!
//! Sources (read 2026-11-22): resend.com/docs/webhooks, resend-openapi `resend.yaml`, resend-node `src/webhooks`,
//! resend-webhooks-ingester, svix-webhooks `rust/src/webhooks.rs`.

mod engagement;
mod payload;
mod reason;
mod recipients;
mod signer;

use crate::{
    callback::Callback,
    provider::{InvalidPayload, NearMiss, ParseError, Parsed, Provider, Setting, SettingKind, Settings, Spec},
    secret::Secret,
    signature::{
        HmacSha256Key, Proof, Readable, Scheme, VerifyError, Work,
        body_sha256::{self, Prefix},
        svix,
    },
    status::Channel,
};

const SIGNATURE: &str = "resend-signature";

pub(super) static SPEC: Spec = Spec {
    name: "resend",
    title: "Resend",
    channels: &[Channel::Email],
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "Signing secret of the webhook, `whsec_…`.",
            example: "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
            kind: SettingKind::Proof,
        },
        Setting {
            name: "API_KEY",
            doc: "Used by applications that send; Waybill ignores it.",
            example: "re_00000000",
            kind: SettingKind::UnusedSecret,
        },
        Setting {
            name: "FROM_EMAIL",
            doc: "Used by applications that send; Waybill ignores it.",
            example: "noreply@example.com",
            kind: SettingKind::Option,
        },
    ],
    schemes: &[&svix::SCHEME, &body_sha256::SCHEME],
    routes: &[],
    url_suffix: "",
    unsigned: "",
    after_not_found: "sends each eight times over 28 hours, and disables an endpoint that fails for days, after which every callback is lost",
    console: &[
        "Dashboard → Webhooks → Add Webhook.",
        "Paste the URL into *Endpoint URL* and select every `email.*` event (other events are stored as well).",
        "Copy the signing secret of the webhook (`whsec_…`) to `RESEND_WEBHOOK_SECRET`.",
    ],
    stored_headers: &["svix-id", "svix-timestamp", "webhook-id", "webhook-timestamp"],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
    signer: signer::signer,
    generate,
};

/// A webhook at Resend.
#[derive(Clone)]
struct Resend {
    secrets: Vec<Secret>,
    keys: Vec<svix::Key>,
    /// The secrets as keys of the scheme `body-sha256`.
    body_keys: Vec<HmacSha256Key>,
    schemes: Vec<&'static Scheme>,
}

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    let secrets = secrets(settings);
    let schemes = settings.schemes();
    let signs_by_svix = svix::SCHEME.is_among(&schemes);
    let keys: Vec<svix::Key> =
        secrets.iter().enumerate().filter_map(|(index, secret)| svix::Key::decode(secret.text(), index)).collect();
    // `whpk_` and `whsk_` are keys of Svix's asymmetric signatures, which Resend does not use; the first is public.
    let is_svix = |secret: &&Secret| ["whsec_", "whpk_", "whsk_"].iter().any(|prefix| secret.text().starts_with(prefix));
    // Those of the vendor are random; any other text was chosen.
    settings.reject_weak("WEBHOOK_SECRET", secrets.iter().filter(|secret| !is_svix(secret)).map(Secret::text));
    if signs_by_svix && keys.len() < secrets.len() {
        let expected = "a Svix secret, `whsec_` and base64 (or RESEND_SIGNATURE_SCHEMES=body-sha256)";
        let broken = secrets.iter().filter(is_svix).any(|secret| svix::Key::decode(secret.text(), 0).is_none());
        if broken || schemes.len() == 1 {
            settings.problem("WEBHOOK_SECRET", expected);
        } else {
            settings.warning(
                "WEBHOOK_SECRET",
                "is not a Svix secret (`whsec_…`): callbacks that Resend itself signs cannot be verified",
            );
        }
    }
    let body_keys = secrets.iter().map(|secret| HmacSha256Key::new(secret.bytes())).collect();
    settings.provider(!secrets.is_empty(), Resend { secrets, keys, body_keys, schemes })
}

/// Some dashboards show `v1,whsec_…`; in a comma list the label is an item of its own.
fn secrets(settings: &mut Settings<'_>) -> Vec<Secret> {
    settings.secrets_beside("WEBHOOK_SECRET", "v1")
}

fn generate(random: &[u8; 32]) -> Vec<(&'static str, String)> {
    vec![("WEBHOOK_SECRET", svix::generate_secret(random))]
}

impl Provider for Resend {
    fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        let is_signed = ["svix-signature", "webhook-signature", SIGNATURE].iter().any(|name| head.headers.has(name));
        if is_signed { Ok(()) } else { Err(VerifyError::Missing) }
    }

    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        match svix::Attempt::parse(callback) {
            Err(VerifyError::Missing) if body_sha256::SCHEME.is_among(&self.schemes) => {
                body_sha256::verify(callback, SIGNATURE, Prefix::Required, &self.body_keys, work)
            }
            Err(VerifyError::Missing) => Err(VerifyError::Missing),
            _ if !svix::SCHEME.is_among(&self.schemes) => Err(VerifyError::SchemeOff),
            attempt => attempt?.verify(&self.keys, work),
        }
    }

    fn proof_headers(&self) -> Vec<String> {
        svix::HEADERS.into_iter().flatten().chain([SIGNATURE]).map(str::to_owned).collect()
    }

    fn signed_at(&self, callback: &Callback) -> Option<i64> {
        svix::signed_at(callback)
    }

    fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        const SETTING: &str = "WEBHOOK_SECRET";
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback, work) {
            return Some(NearMiss::scheme_off(&proof));
        }
        let texts = self.secrets.iter().map(Secret::text);
        let spellings: Vec<String> = texts.flat_map(spellings).collect();
        let undecoded: Vec<svix::Key> = spellings.iter().map(|text| svix::Key::undecoded(text)).collect();
        if svix::Attempt::parse(callback).is_ok_and(|attempt| attempt.verify(&undecoded, work).is_ok()) {
            let says = "is used as text: the sender must decode the part after `whsec_` from base64";
            return Some(NearMiss { setting: SETTING, says: says.to_owned() });
        }
        let spellings: Vec<HmacSha256Key> = spellings.iter().map(|text| HmacSha256Key::new(text.as_bytes())).collect();
        if body_sha256::verify(callback, SIGNATURE, Prefix::Required, &spellings, work).is_ok() {
            let says = "is used by the sender with `whsec_` where it has no prefix here, or the other way round".to_owned();
            return Some(NearMiss { setting: SETTING, says });
        }
        NearMiss::body_only(callback, SIGNATURE, SETTING, &self.secrets, work)
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        let events = callback.json().map_err(ParseError::from).and_then(payload::parse);
        Parsed::with_json_reply(events.map(|event| vec![event]))
    }
}

/// A secret with and without its prefix.
fn spellings(secret: &str) -> [String; 2] {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    [key.to_owned(), format!("whsec_{key}")]
}
