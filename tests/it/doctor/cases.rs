//! Known misconfigurations of gateways, senders and proxies, as a table.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use waybill::signature::Outgoing;

pub(super) type Variables = &'static [(&'static str, &'static str)];

/// One misconfiguration.
pub(super) struct Case {
    /// The provider whose URL receives the request.
    pub(super) provider: &'static str,
    pub(super) configured: Variables,
    /// The sender's settings that differ from the gateway's.
    pub(super) sender: Variables,
    pub(super) scheme: &'static str,
    /// The suffix of the path in the sender's URL.
    pub(super) target_suffix: &'static str,
    /// The change to the request in transit.
    pub(super) change: fn(&mut Outgoing),
    pub(super) expected_finding: &'static str,
}

pub(super) const NOW: i64 = 1_000_000;
pub(super) const TOKEN: &str = "3f1c9a0e5b7d42688c14d2a96f0b7e35";
pub(super) const OTHER: &str = "8a7b6c5d4e3f20190817263544536271";
pub(super) const SVIX: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const BASE: (&str, &str) = ("WEBHOOK_BASE_URL", "https://hooks.example.com");
pub(super) const TWILIO: Variables = &[("TWILIO_AUTH_TOKEN", TOKEN), BASE];
pub(super) const RESEND: Variables = &[("RESEND_WEBHOOK_SECRET", SVIX)];
pub(super) const VONAGE: Variables = &[("VONAGE_SIGNATURE_SECRET", TOKEN)];
pub(super) const SIGNALWIRE: Variables = &[("SIGNALWIRE_SIGNING_KEY", TOKEN), BASE];
pub(super) const MIFUMO: Variables = &[("MIFUMO_WEBHOOK_SECRET", TOKEN)];

pub(super) fn case(
    provider: &'static str,
    configured: Variables,
    sender: Variables,
    scheme: &'static str,
    expected_finding: &'static str,
) -> Case {
    Case { provider, configured, sender, scheme, target_suffix: "", change: |_| {}, expected_finding }
}

pub(super) fn payload(provider: &str) -> (&'static str, &'static str) {
    const FORM: &str = "application/x-www-form-urlencoded";
    match provider {
        "twilio" => (FORM, "MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered&AccountSid=AC1"),
        "vonage" => (FORM, "messageId=0A1&status=delivered&msisdn=447700900000&to=ACME&timestamp=1000000"),
        "signalwire" => ("application/json", r#"{"id":"m1","project_id":"p","status":"sent"}"#),
        "resend" => {
            ("application/json", r#"{"type":"email.delivered","created_at":"2026-01-01T00:00:00Z","data":{"email_id":"e1"}}"#)
        }
        _ => ("application/json", r#"{"event":"message.delivered","message_id":"m1"}"#),
    }
}

fn header(outgoing: &mut Outgoing, name: &str, value: &str) {
    outgoing.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    outgoing.headers.push((name.to_owned(), value.to_owned()));
}

fn sha1(body: &[u8]) -> Vec<u8> {
    <Hmac<Sha1> as KeyInit>::new_from_slice(TOKEN.as_bytes()).expect("a key").chain_update(body).finalize().into_bytes().to_vec()
}

fn sha256(key: &str, body: &[u8]) -> Vec<u8> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).expect("a key").chain_update(body).finalize().into_bytes().to_vec()
}

fn origins() -> Vec<Case> {
    let twilio = |sender: Variables, expected_finding| case("twilio", TWILIO, sender, "request", expected_finding);
    vec![
        twilio(
            &[("WEBHOOK_BASE_URL", "http://hooks.example.com")],
            "valid for http://hooks.example.com: set WEBHOOK_BASE_URL to it (it is https://hooks.example.com)",
        ),
        twilio(&[("WEBHOOK_BASE_URL", "https://hooks.example.com:80")], "valid for https://hooks.example.com:80:"),
        twilio(&[("WEBHOOK_BASE_URL", "https://hooks.example.com:8080")], "valid for https://hooks.example.com:8080:"),
        twilio(&[("WEBHOOK_BASE_URL", "http://hooks.example.com:8080")], "valid for http://hooks.example.com:8080:"),
        Case {
            change: |outgoing| header(outgoing, "X-Forwarded-Port", "8443"),
            ..twilio(&[("WEBHOOK_BASE_URL", "https://hooks.example.com:8443")], "valid for https://hooks.example.com:8443:")
        },
        Case {
            change: |outgoing| header(outgoing, "X-Forwarded-Host", "other.example.com"),
            ..twilio(&[("WEBHOOK_BASE_URL", "https://other.example.com")], "valid for https://other.example.com:")
        },
        Case {
            change: |outgoing| {
                header(outgoing, "X-Forwarded-Host", "other.example.com:9000, inner");
                header(outgoing, "X-Forwarded-Proto", "http");
            },
            ..twilio(&[("WEBHOOK_BASE_URL", "http://other.example.com:9000")], "valid for http://other.example.com:9000:")
        },
        Case {
            change: |outgoing| header(outgoing, "Host", "tunnel.example.net"),
            ..twilio(&[("WEBHOOK_BASE_URL", "https://tunnel.example.net")], "valid for https://tunnel.example.net:")
        },
        // The URL at the provider has its host in another case, and is signed as it was pasted.
        Case {
            change: |outgoing| {
                let signed = "https://Hooks.Example.com/webhooks/twilioAccountSidAC1MessageSidSM00000000000000000000000000000001\
                              MessageStatusdelivered";
                header(outgoing, "Host", "Hooks.Example.com");
                header(outgoing, "X-Twilio-Signature", &STANDARD.encode(sha1(signed.as_bytes())));
            },
            ..twilio(&[BASE], "valid for https://Hooks.Example.com: set WEBHOOK_BASE_URL to it (it is https://hooks.example.com)")
        },
    ]
}

fn prefixes_and_paths() -> Vec<Case> {
    let twilio = |sender: Variables, expected_finding| case("twilio", TWILIO, sender, "request", expected_finding);
    vec![
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com/in")],
            ..twilio(
                &[BASE],
                "valid for https://hooks.example.com: set WEBHOOK_BASE_URL to it (it is https://hooks.example.com/in)",
            )
        },
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com/in")],
            ..twilio(&[("WEBHOOK_BASE_URL", "https://hooks.example.com/in/in")], "valid for https://hooks.example.com/in/in:")
        },
        Case {
            change: |outgoing| header(outgoing, "X-Forwarded-Prefix", "/gateway"),
            ..twilio(&[("WEBHOOK_BASE_URL", "https://hooks.example.com/gateway")], "valid for https://hooks.example.com/gateway:")
        },
        Case {
            target_suffix: "/",
            change: |outgoing| outgoing.target = outgoing.target.replace("twilio/", "twilio"),
            ..twilio(&[BASE], "with a slash at the end of its path")
        },
        Case { change: |outgoing| outgoing.target += "?added=1", ..twilio(&[BASE], "without its query: a proxy adds it") },
        Case {
            target_suffix: "?a=x+y",
            change: |outgoing| outgoing.target = outgoing.target.replace('+', "%20"),
            ..twilio(&[BASE], "with `+` for blanks")
        },
        Case {
            change: |outgoing| header(outgoing, "Content-Type", "text/plain"),
            ..twilio(&[BASE], "for a body of Content-Type application/x-www-form-urlencoded")
        },
        case(
            "signalwire",
            SIGNALWIRE,
            &[("WEBHOOK_BASE_URL", "http://hooks.example.com:8080")],
            "url-body-sha1",
            "valid for http://hooks.example.com:8080:",
        ),
    ]
}

fn accounts() -> Vec<Case> {
    vec![
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", OTHER), ("TWILIO__ACME__AUTH_TOKEN", TOKEN), BASE],
            ..case(
                "twilio",
                TWILIO,
                &[],
                "request",
                "belongs to the account `acme`: its URL is https://hooks.example.com/webhooks/twilio/acme",
            )
        },
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", OTHER), ("SIGNALWIRE_SIGNING_KEY", TOKEN), BASE],
            ..case("twilio", TWILIO, &[], "request", "the secret of SignalWire (account `default`) gives this signature")
        },
        Case {
            configured: &[("SIGNALWIRE_SIGNING_KEY", OTHER), ("TWILIO_AUTH_TOKEN", TOKEN), BASE],
            change: |outgoing| {
                (outgoing.headers[0].1, outgoing.body) = payload_of_twilio();
                let url = "https://hooks.example.com/webhooks/signalwire";
                let signed = [url, "AccountSidAC1MessageSidSM00000000000000000000000000000001MessageStatusdelivered"].concat();
                header(outgoing, "X-Twilio-Signature", &STANDARD.encode(sha1(signed.as_bytes())));
                outgoing.headers.retain(|(name, _)| name != "X-SignalWire-Signature");
            },
            ..case("signalwire", SIGNALWIRE, &[], "url-body-sha1", "the secret of Twilio (account `default`)")
        },
        Case {
            configured: &[("MIFUMO_WEBHOOK_SECRET", OTHER), ("CONVERSATION_WEBHOOK_SECRET", TOKEN), BASE],
            ..case("mifumo", MIFUMO, &[], "body-sha256", "the secret of Conversation (account `default`)")
        },
        Case {
            configured: &[("VONAGE_SIGNATURE_SECRET", OTHER), ("VONAGE__EU__SIGNATURE_SECRET", TOKEN)],
            ..case("vonage", VONAGE, &[], "sms", "belongs to the account `eu`")
        },
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_ACCOUNT_SID", "AC2"), BASE],
            ..case("twilio", TWILIO, &[], "request", "TWILIO_ACCOUNT_SID differs from the account of the payload")
        },
        case(
            "vonage",
            &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_API_KEY", "abcd9999")],
            &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_API_KEY", "abcd1111")],
            "jwt",
            "VONAGE_API_KEY differs from the account",
        ),
    ]
}

fn payload_of_twilio() -> (String, Vec<u8>) {
    let (content_type, body) = payload("twilio");
    (content_type.to_owned(), body.as_bytes().to_vec())
}

fn settings() -> Vec<Case> {
    let schemes_off: Variables = &[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_SIGNATURE_SCHEMES", "body-sha256"), BASE];
    vec![
        case("twilio", schemes_off, TWILIO, "request", "TWILIO_SIGNATURE_SCHEMES leaves out `request`"),
        case(
            "resend",
            &[("RESEND_WEBHOOK_SECRET", SVIX), ("RESEND_SIGNATURE_SCHEMES", "svix")],
            RESEND,
            "body-sha256",
            "RESEND_SIGNATURE_SCHEMES leaves out `body-sha256`",
        ),
        case(
            "vonage",
            &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_SIGNATURE_SCHEMES", "sms")],
            VONAGE,
            "jwt",
            "VONAGE_SIGNATURE_SCHEMES leaves out `jwt`",
        ),
        case(
            "signalwire",
            &[("SIGNALWIRE_SIGNING_KEY", TOKEN), ("SIGNALWIRE_SIGNATURE_SCHEMES", "request"), BASE],
            SIGNALWIRE,
            "url-body-sha256",
            "SIGNALWIRE_SIGNATURE_SCHEMES leaves out `url-body-sha256`",
        ),
        case(
            "signalwire",
            &[("SIGNALWIRE_SIGNING_KEY", TOKEN), ("SIGNALWIRE_WEBHOOK_SECRET", OTHER), ("SIGNALWIRE_REQUIRE", "all"), BASE],
            SIGNALWIRE,
            "url-body-sha1",
            "SIGNALWIRE_REQUIRE is `all`",
        ),
        case(
            "vonage",
            VONAGE,
            &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_SIGNATURE_METHOD", "sha256")],
            "sms",
            "VONAGE_SIGNATURE_METHOD should be `sha256`",
        ),
        case(
            "vonage",
            &[("VONAGE__EU__SIGNATURE_SECRET", TOKEN), ("VONAGE__EU__SIGNATURE_METHOD", "sha512")],
            VONAGE,
            "sms",
            "VONAGE__EU__SIGNATURE_METHOD should be `md5hash`",
        ),
        Case {
            change: |outgoing| {
                let digits = sha256(SVIX, &[b"msg_1.1000000.", &outgoing.body[..]].concat());
                header(outgoing, "svix-signature", &format!("v1,{}", STANDARD.encode(digits)));
            },
            ..case("resend", RESEND, RESEND, "svix", "must decode the part after `whsec_`")
        },
        Case {
            change: |outgoing| {
                let digits = sha256(SVIX.trim_start_matches("whsec_"), &outgoing.body);
                header(outgoing, "Resend-Signature", &format!("sha256={}", hex::encode(digits)));
            },
            ..case("resend", RESEND, RESEND, "body-sha256", "RESEND_WEBHOOK_SECRET is used by the sender with `whsec_`")
        },
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        Case {
            change: |outgoing| header(outgoing, "X-Twilio-Signature", &hex::encode(sha256(TOKEN, &outgoing.body))),
            ..case(
                "twilio",
                TWILIO,
                TWILIO,
                "request",
                "TWILIO_AUTH_TOKEN gives this signature over the body alone (HMAC-SHA256 in hex",
            )
        },
        Case {
            change: |outgoing| header(outgoing, "X-Twilio-Signature", &STANDARD.encode(sha1(&outgoing.body))),
            ..case("twilio", TWILIO, TWILIO, "request", "over the body alone (HMAC-SHA1 in base64, without a prefix)")
        },
        Case {
            change: |outgoing| header(outgoing, "X-SignalWire-Signature", &hex::encode(sha1(&outgoing.body))),
            ..case(
                "signalwire",
                SIGNALWIRE,
                SIGNALWIRE,
                "url-body-sha1",
                "SIGNALWIRE_SIGNING_KEY gives this signature over the body",
            )
        },
        Case {
            change: |outgoing| header(outgoing, "X-Webhook-Signature", &STANDARD.encode(sha256(TOKEN, &outgoing.body))),
            ..case(
                "mifumo",
                MIFUMO,
                MIFUMO,
                "body-sha256",
                "MIFUMO_WEBHOOK_SECRET gives this signature over the body alone (HMAC-SHA256 in base64",
            )
        },
    ]
}

fn hints() -> Vec<Case> {
    vec![
        Case {
            change: |outgoing| outgoing.headers.retain(|(name, _)| name == "Content-Type"),
            ..case("twilio", TWILIO, TWILIO, "request", "it has no signature: Twilio signs every callback")
        },
        Case {
            change: |outgoing| "X-Hub-Signature-256".clone_into(&mut outgoing.headers[1].0),
            ..case(
                "mifumo",
                MIFUMO,
                MIFUMO,
                "body-sha256",
                "has the header `x-hub-signature-256`, and MIFUMO_SIGNATURE_HEADER names another",
            )
        },
        Case {
            configured: &[("TWILIO_AUTH_TOKEN", TOKEN), ("RESEND_WEBHOOK_SECRET", SVIX), BASE],
            change: |outgoing| "svix-id".clone_into(&mut outgoing.headers[1].0),
            ..case("twilio", TWILIO, TWILIO, "request", "it has the header `svix-id` of Resend")
        },
        Case {
            change: |outgoing| outgoing.headers.push(outgoing.headers[1].clone()),
            ..case("twilio", TWILIO, TWILIO, "request", "a signature header is repeated")
        },
        Case {
            change: |outgoing| outgoing.body = b"MessageSid=SM1&Other=1".to_vec(),
            ..case("twilio", TWILIO, TWILIO, "request", "no near miss matches: the configured secret is probably wrong")
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [origins(), prefixes_and_paths(), accounts(), settings(), bodies(), hints()].into_iter().flatten().collect()
}
