//! SignalWire signs documents and forms with one key, without a delimiter after the URL. A signed request of one kind is not parsed as a
//! request of the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    event::EventType,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

use crate::support::callback::received;

const PATH: &str = "/webhooks/signalwire";
const HEADER: &str = "X-SignalWire-Signature";

fn endpoint() -> Endpoint {
    let env: Env = [("SIGNALWIRE_SIGNING_KEY", "PSKtest1234567890abcdef"), ("WEBHOOK_BASE_URL", "https://hooks.example.com")]
        .into_iter()
        .collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

fn signed(endpoint: &Endpoint, scheme: &str, target: &str, content_type: &str, body: &str) -> Outgoing {
    let scheme: &Scheme = endpoint.spec.schemes.iter().find(|known| known.name == scheme).expect("a scheme");
    let mut outgoing = endpoint.outgoing("POST", target, content_type, body);
    endpoint.sign(scheme, &mut outgoing);
    outgoing
}

fn callback(endpoint: &Endpoint, outgoing: Outgoing) -> Callback {
    received(endpoint, outgoing, Timestamp::from_seconds(0).expect("an instant"))
}

/// The same digest in the other encoding: hex or base64.
fn reencoded_digest(outgoing: &Outgoing) -> String {
    let (_, value) = outgoing.headers.iter().find(|(name, _)| name == HEADER).expect("a signature");
    hex::decode(value).map_or_else(|_| hex::encode(STANDARD.decode(value).expect("base64")), |digest| STANDARD.encode(digest))
}

fn reencoded(outgoing: &Outgoing, method: &str, target: &str, content_type: &str, body: &str) -> Outgoing {
    let headers = vec![(HEADER.to_owned(), reencoded_digest(outgoing)), ("Content-Type".to_owned(), content_type.to_owned())];
    Outgoing { method: method.to_owned(), target: target.to_owned(), headers, body: body.into(), ..outgoing.clone() }
}

/// The digest is right, and the request is stored as an unknown event.
fn assert_not_parsed(endpoint: &Endpoint, callback: &Callback) {
    let verified = endpoint.verify(callback).expect("the digest is right");
    assert!(verified.readable().is_none(), "{} {}", callback.method, callback.target);
    let events = endpoint.parse(&verified).events.expect("an event");
    assert_eq!(events.iter().map(|event| event.event_type).collect::<Vec<_>>(), [EventType::Unknown]);
}

const FORM: &str = "application/x-www-form-urlencoded";
const TEXT: &str = "&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&Body=x&From=y";

#[test]
fn document_moved_into_the_url_is_not_parsed() {
    let endpoint = endpoint();
    let body = format!(r#"{{"message_id":"m","from":"a","to":"b","body":"{TEXT}"}}"#);
    for target in [PATH.to_owned(), format!("{PATH}?x=1")] {
        let original = signed(&endpoint, "url-body-sha1", &target, "application/json", &body);
        assert!(endpoint.verify(&callback(&endpoint, original.clone())).is_ok());
        for method in ["GET", "POST"] {
            let moved = reencoded(&original, method, &format!("{target}{body}"), FORM, "");
            assert_not_parsed(&endpoint, &callback(&endpoint, moved));
        }
    }
}

#[test]
fn document_reencoded_as_form_is_not_parsed() {
    let endpoint = endpoint();
    let embedded = "MessageSida97d4e8a-6047-4e2b-be48-fb96b33b5642MessageStatusdeliveredTo";
    let body = format!(r#"{{"message_id":"m","from":"a","to":"b","body":"{embedded}"}}"#);
    let original = signed(&endpoint, "url-body-sha1", &format!("{PATH}?A=1"), "application/json", &body);
    let (before, after) = body.split_once(embedded).expect("the text");
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let form = format!(
        "A={}&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&MessageStatus=delivered&To={}",
        escape(&format!("=1{before}")),
        escape(after)
    );
    assert_not_parsed(&endpoint, &callback(&endpoint, reencoded(&original, "POST", &format!("{PATH}?"), FORM, &form)));
}

#[test]
fn form_reencoded_as_document_is_not_parsed() {
    let endpoint = endpoint();
    let form = "Body=%7B%22message_id%22%3A%22m%22%7D&From=%2B15550100001&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642";
    let original = signed(&endpoint, "request", &format!("{PATH}?x=1"), FORM, form);
    assert!(endpoint.verify(&callback(&endpoint, original.clone())).is_ok());
    // The signed text is the URL, `Body`, the document, and the parameters that sort after it.
    let rest = r#"{"message_id":"m"}From+15550100001MessageSida97d4e8a-6047-4e2b-be48-fb96b33b5642"#;
    let target = format!("{PATH}?x=1Body");
    assert_not_parsed(&endpoint, &callback(&endpoint, reencoded(&original, "POST", &target, "application/json", rest)));
}

/// A retry with another secret of a rotation, or with the parameter's name escaped, is the same request.
#[test]
fn url_secret_spelling_is_not_part_of_request_identity() {
    let variables = [("SIGNALWIRE_WEBHOOK_SECRET", "an-old-secret-0123456789,a-new-secret-0123456789")];
    let endpoint =
        Config::load(&variables.into_iter().collect::<Env>()).expect("a configuration").config.endpoints.remove(0).build();
    let key = |query: &str| {
        let outgoing = endpoint.outgoing("GET", format!("{PATH}?{query}"), FORM, "");
        endpoint.verify(&callback(&endpoint, outgoing)).expect("the secret").proof().request_key()
    };
    let plain = key("secret=an-old-secret-0123456789&x=1");
    assert_eq!(key("%73ecret=a-new-secret-0123456789&x=1"), plain);
    assert_eq!(key("x=1&secre%74=an-old-secret-0123456789"), plain);
    assert_ne!(key("secret=an-old-secret-0123456789&x=2"), plain);
}

/// A token over a GET hashes its parameters as JSON, so the same token is valid for that document in a body. `sig` signs parameters
/// wherever they are. Each is read in one way.
#[test]
fn query_and_document_of_one_proof_lead_to_the_same_events() {
    let env: Env = [("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let path = "/webhooks/vonage";
    let fields =
        [("message_uuid", "u"), ("messageId", "VICTIM"), ("status", "delivered"), ("timestamp", "0"), ("channel", "sms")];
    let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let members: Vec<String> = fields.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let (query, document) = (query.join("&"), format!("{{{}}}", members.join(",")));
    for scheme in ["jwt", "sms", "md5-plain"] {
        let by_query = signed(&endpoint, scheme, &format!("{path}?{query}"), "", "");
        let by_body = signed(&endpoint, scheme, path, "application/json", &document);
        let read = |outgoing: Outgoing| {
            let callback = callback(&endpoint, outgoing);
            let verified = endpoint.verify(&callback).unwrap_or_else(|error| panic!("{scheme}: {error}"));
            (verified.proof().request_key(), format!("{:?}", endpoint.parse(&verified).events))
        };
        let moved = Outgoing { headers: by_body.headers.clone(), ..by_query.clone() };
        assert_eq!(read(by_body.clone()), read(by_query), "{scheme}");
        if scheme == "jwt" {
            assert_eq!(read(moved), read(by_body), "the token of the other");
        }
    }
}

/// A request with a token and a `sig` is the same request without its token.
#[test]
fn dropped_token_leaves_the_same_request() {
    let env: Env = [("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let body = r#"{"messageId":"m","status":"delivered","timestamp":"0"}"#;
    let mut by_both = signed(&endpoint, "sms", "/webhooks/vonage", "application/json", body);
    let by_parameter = by_both.clone();
    endpoint.sign(endpoint.spec.schemes[1], &mut by_both);
    assert_eq!(by_both.headers.len(), by_parameter.headers.len() + 1, "a token");
    let keys = [by_both, by_parameter].map(|outgoing| {
        let callback = callback(&endpoint, outgoing);
        endpoint.verify(&callback).expect("signed").proof().request_key()
    });
    assert_eq!(keys[0], keys[1]);
}

/// A bearer token signs the bytes and not the content type: under another type they are the same document.
#[test]
fn signed_document_is_not_parsed_as_form() {
    let env: Env = [("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let body =
        r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","status":"sent","x":"&messageId=m&status=failed&sig=00&"}"#;
    for content_type in ["application/json", FORM, ""] {
        let callback = callback(&endpoint, signed(&endpoint, "jwt", "/webhooks/vonage", content_type, body));
        let verified = endpoint.verify(&callback).expect("signed");
        let events = endpoint.parse(&verified).events.expect("a status");
        let id = events[0].external_id.as_ref().expect("an id");
        assert_eq!(id.as_str(), "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "{content_type}");
    }
}
