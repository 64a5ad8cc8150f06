//! Twilio Programmable Messaging.
//!
//! **Sends** form POSTs for each status of a message; no event id and no time of its own.
//! **Signs** `X-Twilio-Signature`: base64 HMAC-SHA1 of the public URL and the sorted parameters, key = the account's
//! primary auth token; a sub-account signs with its own token.
//! **Not covered**: the time, and the boundaries between names and values; hence the shape check after the MAC.
//! **Identity across retries**: the signed string. `I-Twilio-Idempotency-Token` is unsigned and only kept.
//! **Retries**: by default one, on connection failure only; `#rc=5&rp=all` on the URL asks for five. 15 s in all.
//! **Wants** any 2xx.
//! **Quirks**: `RawDlrDoneDate` has no zone and is never used; order of arrival means nothing; the first status is never sent.
//!
//! Sources (read 2026-11-22): Twilio docs "Security", "Track the Message Status of Outbound Messages", "Messages
//! resource", "Webhooks: Connection Overrides"; twilio-python 9.13.0, twilio-node 6.2.0, twilio-go.

mod payload;

use crate::{
    callback::{Callback, VerifiedCallback},
    config::settings::Settings,
    event::Event,
    form::Form,
    provider::{InvalidPayload, Provider, Setting, SettingKind, Spec, Unparsable},
    secret::Secret,
    signature::{Outgoing, Proof, Rejected, Scheme, body_sha256, request},
};

const SIGNATURE: &str = "x-twilio-signature";

pub(super) static SPEC: Spec = Spec {
    name: "twilio",
    title: "Twilio",
    methods: &["POST"],
    settings: &[
        Setting {
            name: "AUTH_TOKEN",
            doc: "Primary auth token of the account (a sub-account has its own).",
            example: "3f1c9a0e5b7d42688c14d2a96f0b7e35",
            kind: SettingKind::Proof { fresh: |random| hex::encode(&random[..16]) },
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
    signature_headers: &[SIGNATURE],
    url_suffix: "#rc=5&rp=all",
    console: &[
        "Console → Phone Numbers → Manage → Active numbers, or Messaging → Services → your service → Integration.",
        "Paste the URL into *Status callback URL* (a Messaging Service: *Delivery Status Callback*), or send it as `StatusCallback` with each message.",
        "Keep the `#rc=5&rp=all` at its end: without it Twilio does not try again after a failed answer.",
        "Copy the primary auth token from Account → API keys & tokens into `TWILIO_AUTH_TOKEN`.",
    ],
    kept_headers: &["i-twilio-idempotency-token", "x-home-region"],
    invalid_payload: InvalidPayload::BadRequest,
    connect,
};

/// One Twilio account.
struct Twilio {
    tokens: Vec<Secret>,
    account_sid: Option<String>,
    schemes: Vec<&'static Scheme>,
}

fn connect(settings: &mut Settings<'_, '_>) -> Option<Box<dyn Provider>> {
    let tokens = settings.secrets("AUTH_TOKEN");
    let account_sid = settings.text("ACCOUNT_SID");
    let schemes = settings.schemes();
    (!tokens.is_empty()).then(|| Box::new(Twilio { tokens, account_sid, schemes }) as Box<dyn Provider>)
}

impl Twilio {
    fn prove<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        // Both schemes share the header; only the guide's carries a prefix.
        if body_sha256::claimed(callback, SIGNATURE)? {
            if !body_sha256::SCHEME.is_among(&self.schemes) {
                return Err(Rejected::SchemeOff);
            }
            return body_sha256::verify(callback, SIGNATURE, &self.tokens);
        }
        if !request::SCHEME.is_among(&self.schemes) {
            return Err(Rejected::SchemeOff);
        }
        let proof = request::verify(callback, SIGNATURE, &self.tokens)?;
        let known = callback.form().is_some_and(|form| has_known_shape(&form));
        if known { Ok(proof) } else { Err(Rejected::Shape) }
    }
}

impl Provider for Twilio {
    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let proof = self.prove(callback)?;
        if let (Some(expected), Some(form)) = (&self.account_sid, callback.form()) {
            // Where the MAC has no delimiters, a field that is missing may have been moved into its neighbour.
            let may_be_missing = proof.scheme().name != request::SCHEME.name;
            let is_ours = form.text("AccountSid").map_or(may_be_missing, |given| given == expected.as_str());
            if !is_ours || form.is_ambiguous("AccountSid") {
                return Err(Rejected::OtherAccount);
            }
        }
        Ok(proof)
    }

    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        let form = callback.form().ok_or(Unparsable::Invalid("the body is not a form"))?;
        let embedded = callback.proof().scheme().covers_url.then(|| Form::decode(callback.query().as_bytes())).flatten();
        payload::read(&form, embedded.as_ref()).map(|event| vec![event])
    }

    fn sign(&self, scheme: &Scheme, outgoing: &Outgoing<'_>) -> Vec<(String, String)> {
        let Some(token) = self.tokens.first() else { return Vec::new() };
        let value = if scheme.name == body_sha256::SCHEME.name {
            body_sha256::sign(token, outgoing)
        } else {
            request::sign(token, outgoing)
        };
        vec![("X-Twilio-Signature".to_owned(), value)]
    }
}

/// The MAC has no delimiters, so a captured request can be cut anew at will. What cannot be faked is that the fields of
/// a genuine request are parameters of their own.
fn has_known_shape(form: &Form<'_>) -> bool {
    let any = |names: [&str; 2]| names.into_iter().any(|name| form.has(name));
    form.has("CallSid") || (any(["MessageSid", "SmsSid"]) && any(["MessageStatus", "SmsStatus"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(body: &str) -> bool {
        has_known_shape(&Form::decode(body.as_bytes()).expect("few fields"))
    }

    #[test]
    fn a_field_moved_into_its_neighbour_has_no_known_shape() {
        assert!(shape("MessageSid=SM1&MessageStatus=sent"));
        assert!(shape("SmsSid=SM1&SmsStatus=sent"));
        assert!(!shape("MessageSid=SM1MessageStatussent"));
        assert!(!shape("MessageSidSM1MessageStatus=sent"));
        assert!(!shape(""));
    }
}
