//! SignalWire.
//!
//! **Sends** JSON POSTs about messages, calls, video rooms and sender registrations; the compatibility API sends Twilio's
//! forms; SWML is fetched by GET or POST.
//! **Signs** with the project's signing key: hex HMAC of URL and body, or Twilio's base64 form. Not every kind of callback is
//! signed, so a shared secret, Basic credentials, an address list or a token in the URL may stand in its place.
//! **Not covered**: the time; by all but the signing key also the payload.
//! **Identity across retries**: the signed string, or the body.
//! **Retries**: two more attempts; 2 s to connect, 5 s for an answer, 15 s in all. A missed callback is lost.
//! **Wants** 2xx; of a form's inbound message an XML document; of an SWML fetch an SWML document.
//! **Quirks**: ids are UUIDs; an MMS has no receipt and stays `sent`; codes that look like Twilio's mean something else;
//! calls sign the URL without its credentials, messages with them.
//!
//! Sources (read 2026-11-22): SignalWire docs "Webhook security", "Webhooks", "Messaging status callbacks", "Compatibility
//! API", "Error codes", "calling.call.state", "Video"; signalwire-sdk 3.7.5, signalwire-js; the user's guide "Webhooks & Events".

mod call;
mod message;
mod proofs;
mod room;
mod swml;

use std::sync::LazyLock;

use ipnet::IpNet;
use serde_json::Value;

use self::{proofs::Proofs, swml::Documents};
use super::cxml::{self, shape::Kind};
use crate::{
    callback::{Callback, Payload, VerifiedCallback},
    config::settings::Settings,
    errors::{ErrorTable, LazyTable},
    event::{Event, EventType},
    form::Form,
    json::{self, text as word},
    provider::{InUrl, InvalidPayload, NearMiss, Provider, Reply, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{Outgoing, Proof, Rejected, Scheme, basic, ip, request, url_body, url_secret, url_token},
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// The route that answers SWML.
const SWML: &str = "swml";

pub(super) static SPEC: Spec = Spec {
    name: "signalwire",
    title: "SignalWire",
    methods: &["POST", "GET"],
    settings: &[
        Setting {
            name: "SIGNING_KEY",
            doc: "Signing key of the project, `PSK…` (not the API token).",
            example: "PSK_3f1c9a0e5b7d42688c14d2a96f0b7e35",
            kind: SettingKind::Proof { fresh: |random| format!("PSK{}", hex::encode(random)) },
        },
        Setting {
            name: "WEBHOOK_SECRET",
            doc: "A secret of your own that callbacks carry as `?secret=`.",
            example: "9d2b6c1f4e8a70355b1d0c6e2f7a9384",
            kind: SettingKind::Proof { fresh: |random| hex::encode(random) },
        },
        Setting {
            name: "BASIC_AUTH",
            doc: "Credentials of your own, `user:password`, that callbacks carry by `https://user:password@…`.",
            example: "signalwire:4c8e1b7a9d3f526880",
            kind: SettingKind::Proof { fresh: |random| format!("signalwire:{}", hex::encode(random)) },
        },
        Setting::url_token("sw-9d530c4e1b7a9d3f5268806e2f4a1c7b"),
        Setting::allowed_ips(),
        Setting {
            name: "REQUIRE",
            doc: "`any` or `all` of the proofs that are configured.",
            example: "any",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SWML",
            doc: "Path of the JSON document with which SWML fetches are answered; unset: one that hangs up politely.",
            example: "",
            kind: SettingKind::Option,
        },
        Setting {
            name: "SWML_VIP",
            doc: "Path of the document for callers among VIP_NUMBERS.",
            example: "",
            kind: SettingKind::Option,
        },
        Setting { name: "VIP_NUMBERS", doc: "A comma list of callers.", example: "+15559876543", kind: SettingKind::Option },
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
    unsigned: "status callbacks of calls and messages, for all that is documented: add a secret, Basic credentials or a URL token",
    console: &[
        "Copy the *Signing Key* from API Credentials into `SIGNALWIRE_SIGNING_KEY`. SignalWire signs documents that it fetches; for what it does not sign set `SIGNALWIRE_URL_TOKEN` as well and paste the URL that `waybill check` prints.",
        "Paste the URL as `status_callback` of messages, as `status_url` of calls, as *When a message comes in* (LaML/cXML webhook) of the number, and into `event_webhooks` of video rooms (there with `?event=room.started` and so on, because the payload does not say which it is).",
        "For calls and messages that fetch SWML paste the URL and `/swml` (before `/t/…`): calls get the document of `SIGNALWIRE_SWML`, messages one that only receives.",
    ],
    kept_headers: &[],
    invalid_payload: InvalidPayload::Accept,
    connect,
};

/// One project at SignalWire.
struct SignalWire {
    proofs: Proofs,
    documents: Documents,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let proofs = Proofs::read(settings);
    let documents = Documents::read(settings);
    settings.provider(proofs.is_configured(), SignalWire { proofs, documents })
}

impl Provider for SignalWire {
    fn may_be_genuine(&self, head: &Callback) -> bool {
        self.proofs.may_be_there(head)
    }

    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        self.proofs.verify(callback)
    }

    fn proof_headers(&self) -> Vec<String> {
        proofs::HEADERS.map(str::to_owned).to_vec()
    }

    fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        self.proofs.near_miss(callback)
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        let query = Form::decode(callback.query().as_bytes());
        let signed_query = query.as_ref().filter(|_| callback.proof().scheme().covers_url);
        let event = match payload(callback) {
            Payload::Form(form) => cxml::read(&form, signed_query, &ERRORS)?,
            Payload::Document(body) => document(&json::read(body)?, query.as_ref(), signed_query)?,
        };
        Ok(vec![event])
    }

    fn reply(&self, callback: &VerifiedCallback<'_>) -> Reply {
        match payload(callback) {
            _ if callback.route == SWML => Reply::Document(self.documents.answer(&payload(callback))),
            Payload::Form(form) if Kind::of(&form) == Kind::Inbound => Reply::Twiml,
            _ => Reply::Json,
        }
    }

    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        self.proofs.sign(scheme, outgoing);
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.proofs.url_tokens
    }

    fn allowed_ips(&self) -> &[IpNet] {
        &self.proofs.allowed_ips
    }

    fn in_url(&self) -> InUrl {
        self.proofs.in_url()
    }

    fn url_credentials(&self) -> &[Secret] {
        &self.proofs.credentials
    }

    fn challenge(&self) -> Option<&'static str> {
        (!self.proofs.credentials.is_empty()).then_some(basic::CHALLENGE)
    }
}

/// Verifier and reader see the same: the parameters where they are what is signed, else the bytes.
fn payload<'c>(callback: &'c VerifiedCallback<'_>) -> Payload<'c> {
    if callback.proof().scheme().name == request::SCHEME.name { callback.payload() } else { callback.payload_by_bytes() }
}

/// Reads one JSON document. `query` names the event of a video room; `signed_query` may carry the application's reference.
fn document(payload: &Value, query: Option<&Form<'_>>, signed_query: Option<&Form<'_>>) -> Result<Event, Unparsable> {
    let Some(object) = payload.as_object() else { return Ok(Event::aside(EventType::Unknown, "")) };
    let has = |name: &str| object.contains_key(name);
    let kind = word(payload, "/event_type").unwrap_or_default();
    // What the event is about, or the document itself: both are sent.
    let about = payload
        .pointer("/params")
        .filter(|params| params.as_object().is_some_and(|params| !params.is_empty()))
        .unwrap_or(payload);
    if ["MessageSid", "SmsSid", "CallSid"].iter().any(|name| has(name)) {
        return cxml::read(&Form::of_members(object), signed_query, &ERRORS);
    }
    if has("event_category") {
        return Ok(Event { provider_status: json::scalar(payload, "/state"), ..Event::aside(EventType::CampaignChanged, kind) });
    }
    if let Some(message) = payload.pointer("/message").filter(|message| message.is_object()) {
        return message::inbound(message);
    }
    if let Some(call) = payload.pointer("/call").filter(|call| call.is_object()) {
        return call::read(call, payload, "swml");
    }
    if kind.starts_with("calling.") || ["call_id", "call_state"].iter().any(|name| about.get(name).is_some()) {
        return call::read(about, payload, kind);
    }
    if let Some(event) = room::event_name(payload, about, query) {
        return room::read(&event, about, payload);
    }
    // `id` is the name in statuses, `message_id` in both.
    let has_any = |names: &[&str]| names.iter().any(|name| has(name));
    if (has("status") && has_any(&["id", "message_id", "from", "to"]))
        || (has("id") && !has("message_id") && has_any(&["from", "to", "project_id"]))
    {
        return message::status(payload, signed_query);
    }
    if has("message_id") || (has("from") && has("to") && has("body")) {
        return message::inbound(payload);
    }
    Ok(Event::aside(EventType::Unknown, kind))
}
