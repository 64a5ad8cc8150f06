//! Resend.
//!
//! **Sends** JSON POSTs: `{type, created_at, data}` for each event of an e-mail, a contact, a domain, ….
//! **Signs** by Svix: `svix-id`, `svix-timestamp`, `svix-signature`; every endpoint at Resend has its own secret.
//! **Not covered**: the URL.
//! **Identity across retries**: `svix-id`, the same for retries and manual replays. There is no event id in the body,
//! and `data.email_id` is shared by all events of one e-mail.
//! **Retries**: 8 attempts over 27 h 35 min for any answer but 2xx; an endpoint that fails for days is switched off.
//! **Wants** any 2xx, so an unknown type must never be refused.
//! **Quirks**: one event carries the whole `to` list; soft bounces arrive as `email.bounced`; `tags` is an object here
//! and an array when sending.
//!
//! Sources (read 2026-11-22): resend.com/docs/webhooks, resend-openapi `resend.yaml`, resend-node `src/webhooks`,
//! resend-webhooks-ingester, svix-webhooks `rust/src/webhooks.rs`.

mod payload;

use crate::{
    callback::{Callback, VerifiedCallback},
    config::settings::Settings,
    event::Event,
    provider::{InvalidPayload, NearMiss, Provider, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{
        Outgoing, Proof, Rejected, Scheme, body_only,
        body_sha256::{self, Prefix},
        svix,
    },
};

const SIGNATURE: &str = "resend-signature";

pub(super) static SPEC: Spec = Spec {
    name: "resend",
    title: "Resend",
    methods: &["POST"],
    settings: &[
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "Signing secret of the webhook at Resend, `whsec_…`.",
            example: "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
            kind: SettingKind::Proof { fresh: svix::fresh_secret },
        },
        Setting {
            name: "API_KEY",
            doc: "Known from the sending application; not used here.",
            example: "re_00000000",
            kind: SettingKind::Unused,
        },
        Setting {
            name: "FROM_EMAIL",
            doc: "Known from the sending application; not used here.",
            example: "noreply@example.com",
            kind: SettingKind::Unused,
        },
    ],
    schemes: &[&svix::SCHEME, &body_sha256::SCHEME],
    routes: &[],
    url_suffix: "",
    unsigned: "",
    console: &[
        "Dashboard → Webhooks → Add Webhook.",
        "Paste the URL into *Endpoint URL* and tick every `email.*` event (others are stored too).",
        "Copy the signing secret (`whsec_…`) of that webhook into `RESEND_WEBHOOK_SECRET`.",
    ],
    kept_headers: &["svix-id", "svix-timestamp", "webhook-id", "webhook-timestamp"],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
};

/// One webhook at Resend.
#[derive(Clone)]
struct Resend {
    secrets: Vec<Secret>,
    keys: Vec<svix::Key>,
    schemes: Vec<&'static Scheme>,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    // `v1,whsec_…` is how some dashboards show the secret; in a comma list the label stands alone.
    let secrets = settings.secrets_beside("WEBHOOK_SECRET", "v1");
    let schemes = settings.schemes();
    let signs_by_svix = svix::SCHEME.is_among(&schemes);
    let keys: Vec<svix::Key> =
        secrets.iter().enumerate().filter_map(|(index, secret)| svix::Key::decode(secret.text(), index)).collect();
    if signs_by_svix && keys.len() < secrets.len() {
        let expected = "a Svix secret, `whsec_` and base64 (or RESEND_SIGNATURE_SCHEMES=body-sha256)";
        // `whpk_` and `whsk_` are keys of Svix's other kind of signature, which Resend does not use; the first is public.
        let is_svix = |secret: &&Secret| ["whsec_", "whpk_", "whsk_"].iter().any(|prefix| secret.text().starts_with(prefix));
        let broken = secrets.iter().filter(is_svix).any(|secret| svix::Key::decode(secret.text(), 0).is_none());
        if broken || schemes.len() == 1 {
            settings.problem("WEBHOOK_SECRET", expected);
        } else {
            settings.warning("WEBHOOK_SECRET", "is not a Svix secret (`whsec_…`): what Resend itself signs cannot verify");
        }
    }
    settings.provider(!secrets.is_empty(), Resend { secrets, keys, schemes })
}

impl Provider for Resend {
    fn may_be_genuine(&self, head: &Callback) -> bool {
        ["svix-signature", "webhook-signature", SIGNATURE].iter().any(|name| head.headers.has(name))
    }

    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        if svix::claimed(callback) {
            if !svix::SCHEME.is_among(&self.schemes) {
                return Err(Rejected::SchemeOff);
            }
            return svix::verify(callback, &self.keys);
        }
        if !body_sha256::SCHEME.is_among(&self.schemes) {
            return Err(Rejected::Missing);
        }
        body_sha256::verify(callback, SIGNATURE, Prefix::Required, &self.secrets)
    }

    fn proof_headers(&self) -> Vec<String> {
        let families = ["svix", "webhook"].into_iter();
        let svix = families.flat_map(|family| ["id", "timestamp", "signature"].map(|part| format!("{family}-{part}")));
        svix.chain([SIGNATURE.to_owned()]).collect()
    }

    fn signed_at(&self, callback: &Callback) -> Option<i64> {
        svix::signed_at(callback)
    }

    fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        const SETTING: &str = "WEBHOOK_SECRET";
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if let Ok(proof) = all_schemes.verify(callback) {
            return Some(NearMiss::scheme_off(&proof));
        }
        let texts = self.secrets.iter().map(Secret::text);
        let spellings: Vec<String> = texts.flat_map(spellings).collect();
        let undecoded: Vec<svix::Key> = spellings.iter().map(|text| svix::Key::undecoded(text)).collect();
        if svix::verify(callback, &undecoded).is_ok() {
            let says = "is signed with as it is written: the sender must decode what stands behind `whsec_` from base64";
            return Some(NearMiss { setting: SETTING, says: says.to_owned() });
        }
        let spellings: Vec<Secret> = spellings.into_iter().map(Secret::new).collect();
        if body_sha256::verify(callback, SIGNATURE, Prefix::Required, &spellings).is_ok() {
            let says = "is used by the sender with `whsec_` where it has none here, or without it".to_owned();
            return Some(NearMiss { setting: SETTING, says });
        }
        body_only::near_miss(callback, SIGNATURE, SETTING, &self.secrets)
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        payload::read(&callback.body).map(|event| vec![event])
    }

    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (self.keys.first(), self.secrets.first()) {
            (Some(key), _) if scheme.name == svix::SCHEME.name => svix::sign(key, outgoing),
            (_, Some(secret)) if scheme.name == body_sha256::SCHEME.name => {
                body_sha256::sign(secret, "Resend-Signature", Prefix::Required, outgoing);
            }
            _ => {}
        }
    }
}

/// A secret with its label and without.
fn spellings(secret: &str) -> [String; 2] {
    let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
    [bare.to_owned(), format!("whsec_{bare}")]
}
