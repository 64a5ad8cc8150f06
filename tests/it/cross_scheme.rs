//! SignalWire signs documents and forms with one key, and neither has a delimiter after the URL: what one of the two signed
//! must be nothing new as the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
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
    Config::load(&env).expect("a configuration").config.endpoints.remove(0)
}

fn signed(endpoint: &Endpoint, scheme: &str, target: &str, content_type: &str, body: &str) -> Outgoing {
    let scheme: &Scheme = endpoint.spec.schemes.iter().find(|known| known.name == scheme).expect("a scheme");
    let mut outgoing = endpoint.outgoing("POST", target, content_type, body);
    endpoint.sign(scheme, &mut outgoing);
    outgoing
}

fn taken(endpoint: &Endpoint, outgoing: Outgoing) -> Callback {
    received(endpoint, outgoing, Timestamp::from_seconds(0).expect("an instant"))
}

/// The same digest in the other spelling.
fn respelt(outgoing: &Outgoing) -> String {
    let (_, value) = outgoing.headers.iter().find(|(name, _)| name == HEADER).expect("a signature");
    hex::decode(value).map_or_else(|_| hex::encode(STANDARD.decode(value).expect("base64")), |digest| STANDARD.encode(digest))
}

fn recut(outgoing: &Outgoing, method: &str, target: &str, content_type: &str, body: &str) -> Outgoing {
    let headers = vec![(HEADER.to_owned(), respelt(outgoing)), ("Content-Type".to_owned(), content_type.to_owned())];
    Outgoing { method: method.to_owned(), target: target.to_owned(), headers, body: body.into(), ..outgoing.clone() }
}

const FORM: &str = "application/x-www-form-urlencoded";
const TEXT: &str = "&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&Body=x&From=y";

#[test]
fn a_document_moved_into_the_url_is_refused() {
    let endpoint = endpoint();
    let body = format!(r#"{{"message_id":"m","from":"a","to":"b","body":"{TEXT}"}}"#);
    for target in [PATH.to_owned(), format!("{PATH}?x=1")] {
        let genuine = signed(&endpoint, "url-body-sha1", &target, "application/json", &body);
        assert!(endpoint.verify(&taken(&endpoint, genuine.clone())).is_ok());
        for method in ["GET", "POST"] {
            let moved = recut(&genuine, method, &format!("{target}{body}"), FORM, "");
            assert!(endpoint.verify(&taken(&endpoint, moved)).is_err(), "{method} {target}");
        }
    }
}

#[test]
fn a_document_cut_into_a_form_is_the_same_request() {
    let endpoint = endpoint();
    let hidden = "MessageSida97d4e8a-6047-4e2b-be48-fb96b33b5642MessageStatusdeliveredTo";
    let body = format!(r#"{{"message_id":"m","from":"a","to":"b","body":"{hidden}"}}"#);
    let genuine = signed(&endpoint, "url-body-sha1", &format!("{PATH}?A=1"), "application/json", &body);
    let (before, after) = body.split_once(hidden).expect("the text");
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let form = format!(
        "A={}&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&MessageStatus=delivered&To={}",
        escape(&format!("=1{before}")),
        escape(after)
    );
    let cut = taken(&endpoint, recut(&genuine, "POST", &format!("{PATH}?"), FORM, &form));
    let whole = taken(&endpoint, genuine);
    let keys = [&whole, &cut].map(|callback| endpoint.verify(callback).expect("signed").proof().request_key());
    assert_eq!(keys[0], keys[1], "as a captured request it is a duplicate");
}

#[test]
fn a_form_as_a_document_is_refused_or_unreadable() {
    let endpoint = endpoint();
    let form = "Body=%7B%22message_id%22%3A%22m%22%7D&From=%2B15550100001&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642";
    let genuine = signed(&endpoint, "request", &format!("{PATH}?x=1"), FORM, form);
    assert!(endpoint.verify(&taken(&endpoint, genuine.clone())).is_ok());
    // The signed text is the URL, `Body`, the document, and what sorts behind it.
    let rest = r#"{"message_id":"m"}From+15550100001MessageSida97d4e8a-6047-4e2b-be48-fb96b33b5642"#;
    let cut = taken(&endpoint, recut(&genuine, "POST", &format!("{PATH}?x=1Body"), "application/json", rest));
    let verified = endpoint.verify(&cut).expect("the digest is right");
    assert!(endpoint.parse(&verified).is_err(), "what sorts behind it spoils it");
}

/// A repetition with the other secret of a rotation, its name escaped, is the same request.
#[test]
fn a_secret_in_the_url_is_no_part_of_the_request_however_it_is_spelt() {
    let variables = [("SIGNALWIRE_WEBHOOK_SECRET", "an-old-secret-0123456789,a-new-secret-0123456789")];
    let endpoint = Config::load(&variables.into_iter().collect::<Env>()).expect("a configuration").config.endpoints.remove(0);
    let key = |query: &str| {
        let outgoing = endpoint.outgoing("GET", format!("{PATH}?{query}"), FORM, "");
        endpoint.verify(&taken(&endpoint, outgoing)).expect("the secret").proof().request_key()
    };
    let plain = key("secret=an-old-secret-0123456789&x=1");
    assert_eq!(key("%73ecret=a-new-secret-0123456789&x=1"), plain);
    assert_eq!(key("x=1&secre%74=an-old-secret-0123456789"), plain);
    assert_ne!(key("secret=an-old-secret-0123456789&x=2"), plain);
}
