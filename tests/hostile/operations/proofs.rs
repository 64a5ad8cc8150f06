//! A holder of the read token, and the signatures of requests that were rejected.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use waybill::{endpoint::Endpoint, providers, signature::Outgoing, time::Timestamp};

use crate::support::{
    client,
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
};

const READER: &str = "reader-token-0123456789-abcdefghij";
const NOW: i64 = 1_773_500_000;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A gateway with every proof of every provider, made from these bytes.
fn gateway(database: Database, random: [u8; 32]) -> Gateway {
    let mut variables = vec![("OPS_READ_TOKEN".to_owned(), READER.to_owned())];
    for (number, spec) in (0..).zip(providers::ALL) {
        variables.extend(spec.generate_variables("_", &random.map(|byte| byte.wrapping_add(number))));
    }
    Gateway::start_on(database, Timestamp::from_seconds(NOW).expect("an instant"), &variables)
}

fn random(seed: u8) -> [u8; 32] {
    std::array::from_fn(|place| seed.wrapping_mul(37).wrapping_add(u8::try_from(place).expect("small").wrapping_mul(29)))
}

/// Callbacks in the forms that the endpoint's providers send, signed by every scheme. The third has the content type of another form, as
/// after a proxy that changes it.
fn signed(endpoint: &Endpoint) -> Vec<(Outgoing, Vec<u8>)> {
    let path = endpoint.path();
    let form = b"MessageSid=SM00000000000000000000000000000001&MessageStatus=sent&messageId=1&status=sent&timestamp=1773500000";
    let json = br#"{"message_uuid":"1","id":"m1","status":"sent","timestamp":"1773500000","type":"email.sent"}"#;
    let query = format!("{path}?messageId=1&status=sent&msisdn=1&timestamp=1773500000");
    let with_secret = format!("{path}?key=canary-in-the-url");
    let mut all = Vec::new();
    for scheme in endpoint.spec.schemes {
        let payloads = [
            ("POST", &path, FORM, &form[..]),
            ("POST", &path, JSON, json),
            ("POST", &with_secret, FORM, form),
            ("GET", &query, "", b""),
        ];
        for (method, target, content_type, body) in payloads {
            let unsigned = endpoint.outgoing(method, target.clone(), content_type, body);
            let mut outgoing = Outgoing { id: format!("msg_{}", all.len()), seconds: NOW, ..unsigned };
            endpoint.sign(scheme, &mut outgoing);
            // The token of a URL leads to an unknown path at the other gateway, and to no stored request.
            if scheme.name != "url-token" && endpoint.spec.methods.contains(&method) {
                all.push((outgoing, proof(endpoint, scheme.name)));
            }
        }
    }
    all
}

/// Bytes that only the scheme's secret gives, or nothing for one that signs.
fn proof(endpoint: &Endpoint, scheme: &str) -> Vec<u8> {
    let mut outgoing = endpoint.outgoing("GET", "/", "", "");
    if scheme == "url-secret" {
        endpoint.sign(endpoint.spec.schemes.iter().find(|one| one.name == scheme).expect("a scheme"), &mut outgoing);
    }
    outgoing.target.split('=').nth(1).unwrap_or_default().as_bytes().to_vec()
}

fn send(gateway: &Gateway, outgoing: &Outgoing) -> u16 {
    let status = gateway.send(outgoing).status;
    // The recorder drops requests rather than to wait.
    gateway.running().gateway.rejections.settle();
    status
}

fn read(gateway: &Gateway, target: &str) -> client::Response {
    client::get(gateway.running().ops, target, &[("Authorization", &format!("Bearer {READER}"))])
}

/// Everything that the read token can get about requests, as text.
fn everything(gateway: &Gateway, ids: &[String]) -> String {
    let mut targets: Vec<String> = waybill::http::routes()
        .chain(waybill::http::PAGE_ROUTES.iter().copied())
        .filter(|(method, path)| *method == "get" && !path.contains("{id}") && !path.ends_with("/stream"))
        .map(|(_, path)| path.to_owned())
        .collect();
    for state in ["rejected", "quarantined", "processed", "discarded"] {
        targets.extend([format!("/api/requests?state={state}&limit=500"), format!("/requests?state={state}")]);
    }
    targets.extend(ids.iter().flat_map(|id| [format!("/api/requests/{id}"), format!("/requests/{id}")]));
    targets.iter().map(|target| String::from_utf8_lossy(&read(gateway, target).body).into_owned()).collect()
}

/// The ids of the requests in that state.
fn ids(gateway: &Gateway, state: &str) -> Vec<String> {
    let list = read(gateway, &format!("/api/requests?state={state}&limit=500")).json();
    list["requests"].as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Requests made from what the API shows of a stored one: as it is, and with other content types.
fn rebuilt(shown: &Value) -> Vec<Outgoing> {
    let (request, text) = (&shown["request"], shown["body"].as_str().unwrap_or_default());
    let body = if shown["body_encoding"] == "base64" { STANDARD.decode(text).expect("base64") } else { text.as_bytes().to_vec() };
    let values = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>(),
        value => value.as_str().map(str::to_owned).into_iter().collect(),
    };
    let headers: Vec<(String, String)> = request["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .filter(|(name, _)| *name != "host")
        .flat_map(|(name, value)| values(value).into_iter().map(|value| (name.clone(), value)))
        .collect();
    let variant = |content_type: Option<&str>| {
        let mut headers = headers.clone();
        if let Some(content_type) = content_type {
            headers.retain(|(name, _)| name != "content-type");
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Outgoing {
            public_url: None,
            method: request["method"].as_str().expect("a method").to_owned(),
            target: request["url"].as_str().expect("a URL").to_owned(),
            headers,
            body: body.clone(),
            id: String::new(),
            seconds: NOW,
        }
    };
    [None, Some(FORM), Some(JSON)].map(variant).to_vec()
}

/// The secrets of a gateway are wrong, so every callback is rejected and stored. Nothing that the read token shows of them can be sent
/// once the secrets are corrected.
#[test]
fn read_token_shows_no_request_that_can_be_sent() {
    let wrong = gateway(Database::new(Backend::Sqlite), random(1));
    let right = gateway(Database::new(Backend::Sqlite), random(2));
    let originals: Vec<(Outgoing, Vec<u8>)> = right.running().gateway.router().iter().flat_map(signed).collect();
    let mut forms_of_proofs: Vec<String> = vec!["canary-in-the-url".to_owned()];
    for (original, secret) in &originals {
        let changed = original.headers.iter().map(|(name, value)| match name.as_str() {
            "Content-Type" if original.id.ends_with('2') => (name.clone(), "text/plain".to_owned()),
            _ => (name.clone(), value.clone()),
        });
        let sent = Outgoing { headers: changed.collect(), ..original.clone() };
        assert!([401, 503].contains(&send(&wrong, &sent)), "{} {:?}", original.target, original.headers);
        forms_of_proofs.extend(original.headers.iter().filter(|(name, _)| is_proof(name)).map(|(_, value)| value.clone()));
        let payload = [original.target.as_bytes(), &original.body].concat();
        let payload = String::from_utf8(payload).expect("text").replace("\"sig\":\"", "&sig=");
        forms_of_proofs.extend(payload.split("&sig=").nth(1).and_then(|rest| rest.get(..32)).map(str::to_owned));
        forms_of_proofs.push(String::from_utf8(secret.clone()).expect("text"));
    }
    let ids = ids(&wrong, "rejected");
    assert!(ids.len() > 40 && ids.len() >= originals.len() - 8, "{} of {}", ids.len(), originals.len());
    let text = everything(&wrong, &ids);
    for proof in forms_of_proofs.iter().filter(|proof| !proof.is_empty()) {
        assert!(!text.contains(proof.as_str()), "the read token shows {proof}");
    }
    for id in &ids {
        for attempt in rebuilt(&read(&wrong, &format!("/api/requests/{id}")).json()) {
            let status = right.send(&attempt).status;
            assert!([400, 401, 404, 503].contains(&status), "{status}: {} {:?}", attempt.target, attempt.headers);
        }
    }
    assert_eq!(right.database.rows("webhook_requests").len(), 0, "nothing was verified");
    let accepted = originals.iter().filter(|(original, _)| right.send(original).status != 401).count();
    assert!(accepted > 30 && right.database.rows("webhook_requests").len() > 15, "the originals: {accepted} are accepted");
}

fn is_proof(header: &str) -> bool {
    let name = header.to_ascii_lowercase();
    name.ends_with("signature") || name == "authorization"
}

/// The key of a rejected request is taken when it is replayed: the captured original is then a duplicate, also if its URL was masked.
#[test]
fn replayed_rejection_takes_its_key() {
    let wrong = gateway(Database::new(Backend::Sqlite), random(1));
    let right = gateway(Database::new(Backend::Sqlite), random(2));
    let mut originals = Vec::new();
    for (path, target) in [
        ("/webhooks/mifumo", "/webhooks/mifumo?token=masked&sig=masked"),
        ("/webhooks/resend", "/webhooks/resend?access_token=masked"),
        ("/webhooks/vonage", "/webhooks/vonage"),
        ("/webhooks/twilio", "/webhooks/twilio?key=7"),
    ] {
        let endpoint = right.endpoint(path);
        let body = if path.ends_with("twilio") {
            "MessageSid=SM00000000000000000000000000000001&MessageStatus=sent"
        } else {
            "messageId=1&status=delivered&timestamp=1773500000"
        };
        let unsigned = endpoint.outgoing("POST", target, FORM, body);
        let mut outgoing = Outgoing { id: "msg_1".to_owned(), seconds: NOW, ..unsigned };
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        assert_eq!(send(&wrong, &outgoing), 401, "{target}");
        originals.push(outgoing);
    }
    drop(right);
    let fixed = gateway(wrong.stop(), random(2));
    let ids = ids(&fixed, "rejected");
    assert_eq!(ids.len(), originals.len());
    for id in &ids {
        let path = format!("/api/requests/{id}/replay");
        let post = |token: &str| {
            let headers = [("Authorization".to_owned(), format!("Bearer {token}"))];
            client::send(fixed.running().ops, "POST", &path, &headers, b"")
        };
        assert_eq!(post(READER).status, 403, "{id}");
        let replayed = post(OPS_TOKEN);
        assert_eq!((replayed.status, &replayed.json()["applied"]), (200, &json!(true)), "{id}: {}", replayed.json());
    }
    let rows = fixed.row_counts();
    for original in &originals {
        assert_ne!(fixed.send(original).status, 401, "{}", original.target);
    }
    assert_eq!(fixed.row_counts(), rows, "nothing was added");
    let duplicates: Vec<Value> =
        fixed.database.rows("webhook_requests").iter().map(|row| row["duplicate_count"].clone()).collect();
    assert_eq!(duplicates, vec![json!(1); originals.len()]);
}

/// A verified request that could not be parsed is shown without its signature, and stored with it.
#[test]
fn quarantined_request_is_shown_without_its_signature() {
    let gateway = gateway(Database::new(Backend::Sqlite), random(2));
    let endpoint = gateway.endpoint("/webhooks/vonage");
    let mut signatures = Vec::new();
    for (method, content_type, body) in [
        ("POST", FORM, "to=1&messageId=&status=delivered&err-code=0&timestamp=1773500000"),
        ("POST", JSON, r#"{"to":"2","messageId":"","status":"delivered","err-code":"0","timestamp":"1773500000"}"#),
        ("GET", "", ""),
    ] {
        let target = if method == "GET" {
            "/webhooks/vonage?to=3&messageId=&status=delivered&err-code=0&timestamp=1773500000"
        } else {
            "/webhooks/vonage"
        };
        let mut outgoing = endpoint.outgoing(method, target, content_type, body);
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        assert_eq!(send(&gateway, &outgoing), 400, "{outgoing:?}");
        let sent = outgoing.target.clone() + &String::from_utf8(outgoing.body).expect("text");
        let rest = sent.split("sig").nth(1).expect("a signature").trim_start_matches(['=', '"', ':']);
        signatures.push(rest.get(..32).expect("32 digits").to_owned());
    }
    let ids = ids(&gateway, "quarantined");
    assert_eq!(ids.len(), 3);
    let (text, stored) = (everything(&gateway, &ids), json!(gateway.database.rows("webhook_bodies")).to_string());
    for signature in &signatures {
        assert!(!text.contains(signature.as_str()), "the read token shows {signature}");
    }
    assert_eq!(
        signatures.iter().filter(|signature| stored.contains(&hex::encode(signature))).count(),
        2,
        "a GET has no body: {stored}"
    );
}
