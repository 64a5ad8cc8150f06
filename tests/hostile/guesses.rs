//! Guessed credentials, beside clients that have the right ones.

use base64::{Engine, engine::general_purpose::STANDARD};
use waybill::time::Timestamp;

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
};

const CALLBACK: &[u8] = br#"{"id":"m1","project_id":"p","status":"sent"}"#;
const RECEIPT: &[u8] = br#"{"messageId":"m1","status":"delivered"}"#;

const BASIC: &str = "waybill:sw-basic-password-01";
const SECRET: &str = "sw-shared-secret-0123456789";
const URL_TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";

const LONG_BASIC: &str = "waybill:4c8e1b7a9d3f5268804c8e1b7a9d3f52";
const LONG_SECRET: &str = "b17d9f3c5a8e4062917c3e5f0a8b6d24";
const LONG_TOKEN: &str = "c27d9f3c5a8e4062917c3e5f0a8b6d24bb";

/// The addresses of an attacker, of an honest client in its network, and of one elsewhere.
const ATTACKER: &str = "203.0.113.9";
const NEIGHBOR: &str = "203.0.113.77";
const ELSEWHERE: &str = "198.51.100.7";

const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

/// A gateway with these credentials at a URL of SignalWire's, and a token in a URL of Vonage's.
fn gateway(basic: &str, secret: &str, token: &str, more: &[(&str, &str)]) -> Gateway {
    let credentials = [
        ("SIGNALWIRE_BASIC_AUTH", basic),
        ("SIGNALWIRE_WEBHOOK_SECRET", secret),
        ("VONAGE_URL_TOKEN", URL_TOKEN),
        ("OPS_TOKEN", token),
    ];
    let all = credentials.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let now = Timestamp::from_seconds(1_000).expect("an instant");
    Gateway::limited(Database::new(Backend::Sqlite), now, &all.collect::<Vec<_>>())
}

fn from(client: &str) -> (String, String) {
    ("X-Forwarded-For".to_owned(), client.to_owned())
}

fn by_password(pair: &str) -> (String, String) {
    ("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair)))
}

/// Sends a credential from an address.
type Send = fn(&Gateway, &str, &str) -> Response;

fn basic(gateway: &Gateway, pair: &str, client: &str) -> Response {
    gateway.post("/webhooks/signalwire", &[by_password(pair), from(client)], CALLBACK)
}

fn url_secret(gateway: &Gateway, secret: &str, client: &str) -> Response {
    gateway.post(&format!("/webhooks/signalwire?secret={secret}"), &[from(client)], CALLBACK)
}

fn url_token(gateway: &Gateway, token: &str, client: &str) -> Response {
    gateway.post(&format!("/webhooks/vonage/t/{token}"), &[from(client)], RECEIPT)
}

fn bearer(gateway: &Gateway, token: &str, client: &str) -> Response {
    let bearer = ("Authorization".to_owned(), format!("Bearer {token}"));
    client::send(gateway.running().ops, "GET", "/api/messages", &[bearer, from(client)], b"")
}

fn page(gateway: &Gateway, token: &str, client: &str) -> Response {
    client::send(gateway.running().ops, "GET", "/messages", &[by_password(&format!("x:{token}")), from(client)], b"")
}

fn document(gateway: &Gateway, token: &str, client: &str) -> Response {
    client::send(gateway.running().ops, "GET", "/openapi.json", &[by_password(&format!("x:{token}")), from(client)], b"")
}

/// Guesses until a response is 429; returns their number.
fn guess(gateway: &Gateway, send: Send, client: &str) -> usize {
    (0..200).take_while(|number| send(gateway, &format!("wrong:{number}"), client).status != 429).count()
}

/// After a few wrong credentials, a short one is not compared for that network at that place, so that even the right one is refused. Other
/// networks, and clients without credentials, notice nothing.
#[test]
fn credentials_cannot_be_guessed_without_limit() {
    let all: [(&str, &str, Send); 5] = [
        ("Basic", BASIC, basic),
        ("?secret=", SECRET, url_secret),
        ("the bearer token", OPS_TOKEN, bearer),
        ("the password of a page", OPS_TOKEN, page),
        ("the password of the API's document", OPS_TOKEN, document),
    ];
    for (credential, right, send) in all {
        let gateway = gateway(BASIC, SECRET, OPS_TOKEN, &[PROXY]);
        let guesses = guess(&gateway, send, ATTACKER);
        assert!((1..=30).contains(&guesses), "{credential}: {guesses} guesses");
        let refused = send(&gateway, right, NEIGHBOR);
        assert_eq!((refused.status, refused.header("Retry-After").is_some()), (429, true), "{credential}");
        for number in 0..50 {
            assert_eq!(send(&gateway, right, ELSEWHERE).status, 200, "{credential}, {number} from another network");
        }
        let without = gateway.post("/webhooks/signalwire", &[from(ATTACKER)], CALLBACK);
        assert_eq!(without.status, 401, "{credential}: a request without credentials is challenged");
        gateway.set_clock(Timestamp::from_seconds(1_130).expect("an instant"));
        assert_eq!(send(&gateway, right, ATTACKER).status, 200, "{credential}, later");
    }
}

/// A credential of 32 characters or more is accepted beside any number of wrong ones, also from the attacker's own address.
#[test]
fn long_credential_is_never_refused() {
    let all: [(&str, &str, Send); 6] = [
        ("Basic", LONG_BASIC, basic),
        ("?secret=", LONG_SECRET, url_secret),
        ("the URL token", URL_TOKEN, url_token),
        ("the bearer token", LONG_TOKEN, bearer),
        ("the password of a page", LONG_TOKEN, page),
        ("the password of the API's document", LONG_TOKEN, document),
    ];
    let gateway = gateway(LONG_BASIC, LONG_SECRET, LONG_TOKEN, &[PROXY]);
    for (credential, right, send) in all {
        let guesses = guess(&gateway, send, ATTACKER);
        assert!(guesses <= 30, "{credential}: {guesses} guesses");
        for client in [ATTACKER, NEIGHBOR, ELSEWHERE] {
            assert_eq!(send(&gateway, right, client).status, 200, "{credential} from {client}");
        }
        assert_eq!(send(&gateway, "wrong:again", ATTACKER).status, 429, "{credential}");
    }
}

/// Guesses at one place are no concern of clients at any other, even in the attacker's network.
#[test]
fn guesses_at_one_place_refuse_nobody_at_another() {
    let more =
        [PROXY, ("SIGNALWIRE__ACME__BASIC_AUTH", BASIC), ("SIGNALWIRE_SIGNING_KEY", "PSK0f1c9a0e5b7d42688c14d2a96f0b7e35")];
    let gateway = gateway(BASIC, SECRET, OPS_TOKEN, &more);
    assert!(guess(&gateway, basic, ATTACKER) <= 30);
    assert_eq!(basic(&gateway, BASIC, NEIGHBOR).status, 429);
    let acme = gateway.post("/webhooks/signalwire/acme", &[by_password(BASIC), from(NEIGHBOR)], CALLBACK);
    assert_eq!(acme.status, 200, "another endpoint");
    let endpoint = gateway.endpoint("/webhooks/signalwire");
    let mut signed = endpoint.outgoing("POST", "/webhooks/signalwire", "application/json", CALLBACK);
    endpoint.sign(endpoint.spec.schemes[0], &mut signed);
    signed.headers.push(from(NEIGHBOR));
    assert_eq!(gateway.send(&signed).status, 200, "a signed callback");
    assert_eq!(url_token(&gateway, URL_TOKEN, NEIGHBOR).status, 200, "a URL token");
    assert!(guess(&gateway, url_token, ATTACKER) <= 30);
    assert_eq!(bearer(&gateway, OPS_TOKEN, NEIGHBOR).status, 200, "the operations listener");
    assert!(guess(&gateway, page, ATTACKER) <= 30);
    assert_eq!(page(&gateway, OPS_TOKEN, NEIGHBOR).status, 429);
    assert_eq!(bearer(&gateway, OPS_TOKEN, NEIGHBOR).status, 200, "a bearer token beside passwords");
}

/// Behind a proxy that is not named all clients have one address. None of them can lock out the others, or the operator.
#[test]
fn unnamed_proxy_locks_out_nobody() {
    let gateway = gateway(BASIC, SECRET, OPS_TOKEN, &[]);
    let all: [(&str, &str, Send); 4] =
        [("Basic", BASIC, basic), ("?secret=", SECRET, url_secret), ("bearer", OPS_TOKEN, bearer), ("page", OPS_TOKEN, page)];
    let guesses = all.map(|(_, _, send)| guess(&gateway, send, ATTACKER));
    assert!(guesses.iter().all(|count| *count <= 30), "{guesses:?}");
    for (credential, right, send) in all {
        assert_eq!(send(&gateway, right, ELSEWHERE).status, 200, "{credential}");
        assert_eq!(send(&gateway, "wrong:again", ELSEWHERE).status, 429, "{credential}");
    }
    let local =
        |token: &str| client::get(gateway.running().ops, "/metrics", &[("Authorization", &format!("Bearer {token}"))]).status;
    assert_eq!((local(OPS_TOKEN), local(LONG_TOKEN)), (200, 401), "a client of this machine itself");
}

/// A link on another site can make the browser send a wrong password. It locks out neither a program nor the operator's own pages.
#[test]
fn links_of_another_site_lock_out_nobody() {
    let gateway = gateway(BASIC, SECRET, OPS_TOKEN, &[]);
    let open = |site: &str, password: &str| {
        let link = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
        let mut headers: Vec<_> = link.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        headers.push(by_password(&format!("any:{password}")));
        client::send(gateway.running().ops, "GET", "/messages", &headers, b"").status
    };
    let links: Vec<u16> = (0..60).map(|number| open("cross-site", &format!("wrong-{number}"))).collect();
    assert_eq!((links[0], links[59]), (401, 429), "{links:?}");
    for target in ["/metrics", "/api/messages", "/messages"] {
        let bearer = format!("Bearer {OPS_TOKEN}");
        assert_eq!(client::get(gateway.running().ops, target, &[("Authorization", &bearer)]).status, 200, "{target}");
    }
    for site in ["none", "same-origin"] {
        assert_eq!(open(site, OPS_TOKEN), 200, "{site}");
    }
}
