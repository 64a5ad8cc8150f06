//! SignalWire.
//!
//! **Sends** JSON POSTs about messages, calls, video rooms and sender registrations; the compatibility API sends Twilio's
//! forms; SWML is fetched by GET or POST.
//! **Signs** with the project's signing key: hex HMAC of URL and body, or Twilio's base64 form. Not every kind of callback is
//! signed, so a shared secret, Basic credentials, an address list or a token in the URL can replace it.
//! **Not covered**: the time; without the signing key, also the payload.
//! **Identity across retries**: the signed string, or the body.
//! **Retries**: two more attempts; 2 s to connect, 5 s for a response, 15 s in all. A missed callback is lost.
//! **Wants** 2xx; for an inbound message sent as a form, an XML document; for an SWML fetch, an SWML document.
//! **Quirks**: ids are UUIDs; an MMS has no receipt and stays `sent`; codes that look like Twilio's mean something else;
//! calls sign the URL without its credentials, messages with them.
//!
//! Sources (read 2026-11-22): SignalWire docs "Webhook security", "Webhooks", "Messaging status callbacks", "Compatibility
//! API", "Error codes", "calling.call.state", "Video"; signalwire-sdk 3.7.5, signalwire-js; the integration guide "Webhooks & Events".

mod call;
mod kind;
mod message;
mod proofs;
mod room;
mod signer;
mod swml;

use std::sync::LazyLock;

use ipnet::IpNet;

use self::{kind::Kind, proofs::Proofs, swml::Documents};
use super::cxml::{
    self,
    shape::{self, Ids},
};
use crate::{
    callback::{Callback, Document, Payload},
    event::{Event, EventType},
    form::Form,
    json::{self, text as word},
    provider::{InvalidPayload, NearMiss, ParseError, Parsed, Provider, Reply, Setting, SettingKind, Settings, Spec, UrlProofs},
    providers::error_codes::{ErrorTable, LazyTable},
    secret::Secret,
    signature::{IsListed, Proof, Readable, VerifyError, Work, basic, ip, request, url_body, url_secret, url_token},
    status::Channel,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

const IS_LISTED: IsListed = |callback, payload, joined| shape::is_listed(callback, payload, joined, Ids::Whole);

/// The route for SWML fetches.
const SWML: &str = "swml";

pub(super) static SPEC: Spec = Spec {
    name: "signalwire",
    title: "SignalWire",
    channels: &[Channel::Sms, Channel::Mms, Channel::Whatsapp, Channel::Voice],
    methods: &["POST", "GET"],
    settings: &[
        Setting {
            name: "SIGNING_KEY",
            doc: "Signing key of the project, `PSK…` (not the API token).",
            example: "PSK_3f1c9a0e5b7d42688c14d2a96f0b7e35",
            kind: SettingKind::Proof,
        },
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "A secret that you choose, sent in the URL as `?secret=`.",
            example: "9d2b6c1f4e8a70355b1d0c6e2f7a9384",
            kind: SettingKind::Proof,
        },
        Setting {
            name: "BASIC_AUTH",
            doc: "Credentials that you choose, `user:password` (a password of 32 characters or more), sent with a URL of the form `https://user:password@…`.",
            example: "signalwire:4c8e1b7a9d3f5268802e7c91d6b40f35",
            kind: SettingKind::Proof,
        },
        Setting::url_token("sw-9d530c4e1b7a9d3f5268806e2f4a1c7b"),
        Setting::allowed_ips(),
        Setting {
            name: "REQUIRE",
            doc: "Proofs that a callback must have: `any` or `all` of those configured.",
            example: "any",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SWML",
            doc: "Path of the JSON document returned for SWML fetches. If unset, a document that hangs up politely.",
            example: "",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SWML_VIP",
            doc: "Path of the JSON document returned for callers in VIP_NUMBERS.",
            example: "",
            kind: SettingKind::Option,
        },
        Setting {
            name: "VIP_NUMBERS",
            doc: "Callers that get SWML_VIP, a comma-separated list.",
            example: "+15559876543",
            kind: SettingKind::Option,
        },
    ],
    schemes: &[
        &url_body::SHA1,
        &url_body::SHA256,
        &request::SCHEME,
        &basic::SCHEME,
        &url_secret::SCHEME,
        &url_token::SCHEME,
        &ip::SCHEME,
    ],
    routes: &[SWML],
    url_suffix: "",
    unsigned: "status callbacks of calls and messages, as far as SignalWire documents it: add a secret, Basic credentials or a URL token",
    after_not_found: "sends each up to two more times",
    console: &[
        "Copy the *Signing Key* from API Credentials to `SIGNALWIRE_SIGNING_KEY`. SignalWire signs requests for documents. For callbacks that it does not sign, also set `SIGNALWIRE_URL_TOKEN` and paste the URL that `waybill check` prints.",
        "Paste the URL into `status_callback` of messages, `status_url` of calls, *When a message comes in* (LaML/cXML webhook) of the number, and `event_webhooks` of video rooms. For video rooms, append `?event=room.started` and so on, because the payload does not name the event.",
        "For calls and messages that fetch SWML, paste the URL with `/swml` appended (before `/t/…`). Calls get the document of `SIGNALWIRE_SWML`, messages a document that only receives.",
    ],
    stored_headers: &[],
    invalid_payload: InvalidPayload::Accept,
    connect,
    signer: signer::signer,
    generate,
};

/// A project at SignalWire.
struct SignalWire {
    proofs: Proofs,
    documents: Documents,
}

fn connect(settings: &mut Settings<'_>) -> Option<Box<dyn Provider>> {
    let proofs = Proofs::new(settings);
    let documents = Documents::new(settings);
    settings.provider(proofs.is_configured(), SignalWire { proofs, documents })
}

fn generate(random: &[u8; 32]) -> Vec<(&'static str, String)> {
    let digits = hex::encode(random);
    vec![
        ("SIGNING_KEY", format!("PSK{digits}")),
        ("BASIC_AUTH", format!("signalwire:{digits}")),
        ("WEBHOOK_SECRET", digits.clone()),
        ("URL_TOKEN", digits),
    ]
}

impl Provider for SignalWire {
    fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        self.proofs.check_head(head)
    }

    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        self.proofs.verify(callback, work)
    }

    fn proof_headers(&self) -> Vec<String> {
        proofs::HEADERS.map(str::to_owned).to_vec()
    }

    fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        self.proofs.near_miss(callback, work)
    }

    fn is_listed(&self) -> IsListed {
        IS_LISTED
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        let payload = callback.payload();
        let parsed = match payload {
            Payload::Form(form) => cxml::parse(form, callback, &ERRORS),
            Payload::Document(body) => Parsed::with_json_reply(parse_document(body, callback).map(|event| vec![event])),
        };
        if callback.route() == SWML {
            return Parsed { reply: Reply::Document(self.documents.select(payload)), ..parsed };
        }
        parsed
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.proofs.url_tokens
    }

    fn allowed_ips(&self) -> &[IpNet] {
        &self.proofs.allowed_ips
    }

    fn url_proofs(&self) -> UrlProofs {
        self.proofs.url_proofs()
    }

    fn url_credentials(&self) -> &[Secret] {
        &self.proofs.credentials
    }

    fn challenge(&self) -> Option<&'static str> {
        (!self.proofs.credentials.is_empty()).then_some(basic::CHALLENGE)
    }
}

/// The event of a JSON document. The query may name the event of a video room and, if it is signed, the message's reference.
fn parse_document(document: &Document<'_>, callback: Readable<'_, '_>) -> Result<Event, ParseError> {
    let (payload, signed_query) = (document.json()?, callback.signed_query());
    let Some(object) = payload.as_object() else { return Ok(Event::informational(EventType::Unknown, "")) };
    let named = word(payload, "/event_type").unwrap_or_default();
    match Kind::from_document(payload, object, callback) {
        Kind::Form => {
            let form = Form::from_members(object);
            cxml::parse_kind(cxml::kind::Kind::from_form(&form), &form, signed_query, &ERRORS)
        }
        Kind::Campaign => Ok(Event {
            provider_status: json::scalar(payload, "/state"),
            ..Event::informational(EventType::CampaignChanged, named)
        }),
        Kind::Inbound(message) => message::parse_inbound(message),
        Kind::Call(call, kind) => call::parse(call, payload, kind),
        Kind::Room(room, name) => room::parse(&name, room, payload),
        Kind::Status => message::parse_status(payload, signed_query),
        Kind::Unknown => Ok(Event::informational(EventType::Unknown, named)),
    }
}
