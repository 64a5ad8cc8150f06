//! Access and limits: rate limits on verified callbacks, address lists behind proxies, URL tokens, Basic credentials.

use futures_util::FutureExt;
use serde_json::json;
use waybill::{config::Config, fair_semaphore::Permit, network::Network, time::Timestamp};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::Gateway,
};

const SECRET: &str = "conversation-webhook-secret-01234";
const PATH: &str = "/webhooks/conversation";

fn start(variables: &[(&str, &str)]) -> Gateway {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateway::start(Backend::Sqlite, Timestamp::from_seconds(1_000).expect("an instant"), &variables)
}

fn message(gateway: &Gateway, number: usize, more: &[(&str, &str)]) -> Response {
    let endpoint = gateway.endpoint(PATH);
    let body = json!({ "conversation_id": "c", "data": { "id": format!("m{number}"), "type": "BOT", "status": "PROCESSED" } });
    let mut outgoing = endpoint.outgoing("POST", PATH, "application/json", body.to_string());
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing.headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    gateway.send(&outgoing)
}

fn budget(response: &Response) -> [Option<&str>; 3] {
    ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"].map(|name| response.header(name))
}

#[test]
fn rate_limit_allows_a_hundred_a_minute_and_sends_retry_after() {
    let gateway = start(&[("CONVERSATION_WEBHOOK_SECRET", SECRET)]);
    for number in 0..100 {
        let response = message(&gateway, number, &[]);
        let remaining = (99 - number).to_string();
        assert_eq!((response.status, budget(&response)), (200, [Some("100"), Some(remaining.as_str()), Some("60")]));
    }
    let rejected = message(&gateway, 100, &[]);
    assert_eq!((rejected.status, rejected.json()), (429, json!({ "success": false, "error": "too_many_requests" })));
    assert_eq!((rejected.header("Retry-After"), budget(&rejected)), (Some("60"), [Some("100"), Some("0"), Some("60")]));
    assert_eq!(gateway.database.rows("webhook_requests").len(), 100, "the limited request is not stored");
}

/// A large body waits for its network's turn until the deadline. A small one needs none.
#[test]
fn large_body_waits_for_a_permit_until_the_deadline() {
    let gateway = start(&[("CONVERSATION_WEBHOOK_SECRET", SECRET), ("WEBHOOK_TIMEOUT", "1")]);
    let large = || {
        let endpoint = gateway.endpoint(PATH);
        let data = json!({ "id": "large", "type": "BOT", "status": "PROCESSED", "text": "x".repeat(64 << 10) });
        let body = json!({ "conversation_id": "c", "data": data }).to_string();
        let mut outgoing = endpoint.outgoing("POST", PATH, "application/json", body);
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        gateway.send(&outgoing)
    };
    let semaphore = &gateway.running().gateway.offload;
    let held: Vec<Permit> = std::iter::from_fn(|| semaphore.acquire(Network::Unknown).now_or_never().flatten()).collect();
    let late = large();
    assert_eq!((late.status, late.json()), (503, json!({ "success": false, "error": "unavailable" })));
    assert_eq!(gateway.metrics().sum("requests_failed_total", &[("cause", "overloaded")]), 1.0);
    assert_eq!(message(&gateway, 0, &[]).status, 200, "a small body");
    drop(held);
    assert_eq!((large().status, gateway.database.rows("webhook_requests").len()), (200, 2));
}

crate::databases! {
    // Ten thousand forged requests and ninety verified ones in the same minute: all ninety are stored.
    fn rejected_requests_consume_no_rate_limit(database) {
        let variables = [("CONVERSATION_WEBHOOK_SECRET".to_owned(), SECRET.to_owned())];
        let gateway = Gateway::start_on(database, Timestamp::from_seconds(1_000).expect("an instant"), &variables);
        let address = gateway.address();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    for _ in 0..25 {
                        // A hundred requests on each connection: the test needs requests, not connections.
                        let forged = format!(
                            "POST {PATH} HTTP/1.1\r\nHost: h\r\nX-Webhook-Signature: {}\r\nContent-Length: 2\r\n\r\n{{}}",
                            "0".repeat(64)
                        );
                        let mut stream = client::connect(address);
                        for _ in 0..100 {
                            std::io::Write::write_all(&mut stream, forged.as_bytes()).expect("an open connection");
                            assert_eq!(client::read(&mut stream).status, 401);
                        }
                    }
                });
            }
            for number in 0..90 {
                assert_eq!(message(&gateway, number, &[]).status, 200);
            }
        });
        assert_eq!(gateway.database.rows("message_external_ids").len(), 90);
        gateway.running().gateway.rejections.close();
        assert!((1..=1_000).contains(&gateway.database.rows("rejected_requests").len()), "the stored rejections are bounded");
    }
}

#[test]
fn concurrency_limit_is_released_after_each_request() {
    let gateway = Gateway::start_on(
        Database::new(Backend::Postgres),
        Timestamp::from_seconds(1_000).expect("an instant"),
        &[("CONVERSATION_WEBHOOK_SECRET".to_owned(), SECRET.to_owned())],
    );
    // Admitted requests wait for the locked database.
    let lock = gateway.database.lock();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..30)
            .map(|number| {
                scope.spawn({
                    let gateway = &gateway;
                    move || message(gateway, number, &[]).status
                })
            })
            .collect();
        waiting.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    lock.release();
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert!(count(429) >= 10 && count(503) >= 10, "{statuses:?}");
    assert_eq!(count(429) + count(503), 30, "{statuses:?}");
    assert_eq!(message(&gateway, 99, &[]).status, 200);
}

#[test]
fn rate_limit_applies_to_any_endpoint() {
    let gateway = start(&[
        ("WEBHOOK_RATE_LIMIT", "2"),
        ("MIFUMO_WEBHOOK_SECRET", SECRET),
        ("MIFUMO__ACME__WEBHOOK_SECRET", "another-webhook-secret-01234567"),
    ]);
    let send = |path: &str, number: u8| {
        let endpoint = gateway.endpoint(path);
        let mut outgoing = endpoint.outgoing("POST", path, "application/json", format!(r#"{{"event":"x","n":{number}}}"#));
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        gateway.send(&outgoing).status
    };
    let statuses = [1, 2, 3].map(|number| send("/webhooks/mifumo", number));
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(gateway.metrics().sum("requests_failed_total", &[("cause", "rate_limited")]), 1.0);
    assert_eq!(send("/webhooks/mifumo/acme", 1), 200, "each endpoint has a limit of its own");
}

#[test]
fn address_list_uses_forwarded_address_of_trusted_proxies_only() {
    let list = ("CONVERSATION_ALLOWED_IPS", "203.0.113.0/24,2001:db8::1");
    let secret = ("CONVERSATION_WEBHOOK_SECRET", SECRET);
    let direct = start(&[secret, list]);
    let rejected = message(&direct, 1, &[("X-Forwarded-For", "203.0.113.7")]);
    assert_eq!((rejected.status, rejected.json()), (403, json!({ "success": false, "error": "forbidden" })));
    let unsigned = client::send(direct.address(), "POST", PATH, &[], b"{}");
    assert_eq!(unsigned.status, 403, "the address is checked first");
    let behind = start(&[secret, list, ("TRUSTED_PROXIES", "127.0.0.0/8,198.51.100.1")]);
    for (forwarded, status) in [
        ("203.0.113.7", 200),
        ("10.0.0.1, 203.0.113.7", 200),
        ("203.0.113.7, 198.51.100.1", 200),
        ("2001:db8::1", 200),
        ("::ffff:203.0.113.9", 200),
        // The client can write entries to the left of the address that the proxy adds.
        ("203.0.113.7, 192.0.2.1", 403),
        ("203.0.113.7, 192.0.2.1, 198.51.100.1", 403),
        ("unknown", 403),
        ("203.0.113.7:443", 200),
        ("[2001:db8::1]:443", 200),
        ("[2001:db8::1]", 200),
        ("unknown, [2001:db8::1]", 200),
        ("[2001:db8::1], unknown", 403),
        ("192.0.2.1:443", 403),
        ("", 403),
    ] {
        let answer = message(&behind, 1, &[("X-Forwarded-For", forwarded)]).status;
        assert_eq!(answer, status, "{forwarded}");
    }
    let twice = message(&behind, 1, &[("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(twice.status, 403, "several headers form one list");
    let good = message(&behind, 1, &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "203.0.113.7")]);
    assert_eq!(good.status, 200);
    assert_eq!(message(&behind, 1, &[("Forwarded", "for=203.0.113.7")]).status, 403);
}

/// Of the headers with an address exactly one is read, and from trusted proxies only. src/forwarded.rs has the forms of their values.
#[test]
fn client_address_is_read_from_the_chosen_header() {
    let variables = [("CONVERSATION_WEBHOOK_SECRET", SECRET), ("CONVERSATION_ALLOWED_IPS", "203.0.113.0/24,2001:db8::/32")];
    let headers = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("Forwarded", "for=192.0.2.1, For=\"[2001:db8::7]:4711\";proto=https"),
        ("X-Real-IP", "[2001:db8::7]"),
    ];
    for (chosen, _) in headers {
        let header = ("CLIENT_IP_HEADER", chosen);
        let behind = start(&[&variables[..], &[header, ("TRUSTED_PROXIES", "127.0.0.1")]].concat());
        for (name, value) in headers {
            let status = message(&behind, 1, &[(name, value)]).status;
            assert_eq!(status, if name == chosen { 200 } else { 403 }, "{name} where {chosen} is read");
        }
        let others = headers.iter().filter(|(name, _)| *name != chosen);
        let contradicted: Vec<(&str, &str)> = others.copied().chain([(chosen, "for=192.0.2.1")]).collect();
        assert_eq!(message(&behind, 2, &contradicted).status, 403, "{chosen} decides");
        let direct = start(&[&variables[..], &[header]].concat());
        assert_eq!(message(&direct, 3, &headers).status, 403, "{chosen} of a client that is no trusted proxy");
    }
}

#[test]
fn wrong_url_token_is_not_found_and_right_one_is_masked() {
    const TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";
    let gateway = start(&[
        ("VONAGE_URL_TOKEN", "first-0123456789abcdef0123456789abcd,vurl-0123456789abcdef0123456789abcdef"),
        ("VONAGE__ACME__URL_TOKEN", "acme-0123456789abcdef0123456789abcdef"),
    ]);
    let receipt = "messageId=0A1&status=delivered&msisdn=447700900000&to=ACME";
    let get = |path: &str| client::get(gateway.address(), &format!("{path}?{receipt}"), &[]);
    let unknown = get("/webhooks/unknown");
    let long = "A".repeat(36);
    for wrong in [
        "",
        "x",
        &TOKEN[1..],
        &long,
        "acme-0123456789abcdef0123456789abcdef",
        &format!("{TOKEN}/"),
        &format!("{TOKEN}/t/{TOKEN}"),
    ] {
        let response = get(&format!("/webhooks/vonage/t/{wrong}"));
        assert_eq!((response.status, &response.body), (404, &unknown.body), "{wrong}");
    }
    assert_eq!(get("/webhooks/vonage/t").status, 404);
    assert_eq!(get("/webhooks/vonage").status, 401, "the account has no other proof");
    assert_eq!(get(&format!("/webhooks/vonage/t/{TOKEN}")).status, 200);
    assert_eq!(get("/webhooks/vonage/acme/t/acme-0123456789abcdef0123456789abcdef").status, 200);
    let rows = gateway.database.rows("webhook_requests");
    let seen: Vec<[&serde_json::Value; 2]> = rows.iter().map(|row| [&row["verified_by"], &row["url"]]).collect();
    let url = |path: &str| json!(format!("{path}/t/***?{receipt}"));
    assert_eq!(
        seen,
        [[&json!("url-token:1"), &url("/webhooks/vonage")], [&json!("url-token:0"), &url("/webhooks/vonage/acme")],]
    );
}

#[test]
fn empty_vonage_request_is_a_probe() {
    let gateway = start(&[
        ("VONAGE_SIGNATURE_SECRET", "Zx81-signature-secret-q7"),
        ("VONAGE_URL_TOKEN", "vurl-0123456789abcdef0123456789abcdef"),
    ]);
    let before = gateway.row_counts();
    for (method, target) in [
        ("GET", "/webhooks/vonage"),
        ("POST", "/webhooks/vonage"),
        ("GET", "/webhooks/vonage?"),
        ("GET", "/webhooks/vonage/t/vurl-0123456789abcdef0123456789abcdef"),
    ] {
        let response = client::send(gateway.address(), method, target, &[], b"");
        assert_eq!((response.status, response.json()), (200, json!({ "probe": true })), "{method} {target}");
    }
    assert_eq!(client::get(gateway.address(), "/webhooks/vonage?a", &[]).status, 401);
    assert_eq!(gateway.row_counts(), before);
}

/// Messages are signed with the credentials in the URL, calls without.
#[test]
fn url_credentials_may_be_signed_or_not() {
    let gateway = start(&[
        ("SIGNALWIRE_SIGNING_KEY", "PSKtest1234567890abcdef"),
        ("SIGNALWIRE_BASIC_AUTH", "waybill:sw-basic-password-01"),
        ("SIGNALWIRE_REQUIRE", "all"),
    ]);
    let endpoint = gateway.endpoint("/webhooks/signalwire");
    for (number, url) in
        ["https://waybill:sw-basic-password-01@hooks.example.com", "https://hooks.example.com"].into_iter().enumerate()
    {
        let body = format!(r#"{{"id":"m{number}","project_id":"p","status":"sent"}}"#);
        let mut outgoing = endpoint.outgoing("POST", "/webhooks/signalwire", "application/json", body);
        outgoing.public_url = Some(url.parse().expect("a URL"));
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        assert_eq!(gateway.send(&outgoing).status, 200, "{url}");
    }
}

/// A provider sends the password of its URL after a challenge, so each of its callbacks needs two requests.
#[test]
fn request_without_credentials_is_always_challenged_and_no_failure() {
    let variables = [("SIGNALWIRE_BASIC_AUTH", "waybill:sw-basic-password-01"), ("MIFUMO_WEBHOOK_SECRET", SECRET)];
    let variables: Vec<(String, String)> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let now = Timestamp::from_seconds(1_000).expect("an instant");
    let gateway = Gateway::limited(Database::new(Backend::Sqlite), now, &variables);
    let send = |path: &str, headers: &[(String, String)]| client::send(gateway.address(), "POST", path, headers, b"{}");
    for number in 0..150 {
        let challenged = send("/webhooks/signalwire", &[]);
        assert_eq!((challenged.status, challenged.header("WWW-Authenticate").is_some()), (401, true), "request {number}");
    }
    assert_eq!(send("/webhooks/mifumo", &[]).status, 401, "no failure was counted");
    while send("/webhooks/mifumo", &[]).status == 401 {}
    let challenged = send("/webhooks/signalwire", &[]);
    assert_eq!((challenged.status, challenged.header("WWW-Authenticate").is_some()), (401, true), "from a limited network");
    gateway.running().gateway.rejections.settle();
    assert_eq!(gateway.database.rows("rejected_requests").iter().filter(|row| row["service_type"] == "signalwire").count(), 0);
}

#[test]
fn only_basic_endpoints_send_www_authenticate() {
    let gateway = start(&[("SIGNALWIRE_BASIC_AUTH", "waybill:sw-basic-password-01"), ("MIFUMO_WEBHOOK_SECRET", SECRET)]);
    for headers in [&[][..], &[("Authorization".to_owned(), "Basic d2F5YmlsbDp3cm9uZw==".to_owned())]] {
        let rejected = client::send(gateway.address(), "POST", "/webhooks/signalwire", headers, b"{}");
        assert_eq!((rejected.status, rejected.json()), (401, json!({ "success": false, "error": "invalid_signature" })));
        assert_eq!(rejected.header("WWW-Authenticate"), Some(r#"Basic realm="waybill", charset="UTF-8""#));
    }
    let other = client::send(gateway.address(), "POST", "/webhooks/mifumo", &[], b"{}");
    assert_eq!((other.status, other.header("WWW-Authenticate")), (401, None));
}

/// A path below a provider's reveals no name: an account that does not exist answers like one that does.
#[test]
fn unknown_account_answers_like_a_known_one() {
    let gateway = start(&[
        ("TWILIO__ACME__AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
        ("SIGNALWIRE__ACME__BASIC_AUTH", "waybill:sw-basic-password-01"),
        ("VONAGE__ACME__SIGNATURE_SECRET", "Zx81-signature-secret-q7"),
        ("MIFUMO_WEBHOOK_SECRET", SECRET),
    ]);
    let signed = [("X-Twilio-Signature".to_owned(), "eA==".to_owned()), ("X-Webhook-Signature".to_owned(), "00".to_owned())];
    let basic = [("Authorization".to_owned(), "Basic d2F5YmlsbDp3cm9uZw==".to_owned())];
    let answer = |method: &str, path: &str, headers: &[(String, String)], body: &[u8]| {
        let Response { status, mut headers, body } = client::send(gateway.address(), method, path, headers, body);
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        headers.sort();
        (status, headers, body)
    };
    let before = gateway.row_counts();
    for (path, below) in [("twilio", ""), ("signalwire", ""), ("signalwire", "/swml"), ("vonage", "")] {
        for (method, headers, body) in [
            ("POST", &[][..], &b"{}"[..]),
            ("POST", &signed[..], b"{}"),
            ("POST", &basic[..], br#"{"message_uuid":"u"}"#),
            ("GET", &[], b""),
            ("PUT", &[], b""),
            ("HEAD", &[], b""),
        ] {
            let at = |account: &str| answer(method, &format!("/webhooks/{path}/{account}{below}"), headers, body);
            assert_eq!(at("nobody"), at("acme"), "{method} {path}{below} {headers:?}");
        }
    }
    for path in ["twilio/acme/x", "twilio/Nobody", "twilio/nobody/t/x", "twilio/t", "mifumo/nobody", "vonage/nobody/"] {
        assert_eq!(
            answer("POST", &format!("/webhooks/{path}"), &[], b"{}").0,
            404,
            "{path} is no account of a provider with names"
        );
    }
    assert_eq!(gateway.row_counts(), before);
}

/// A public URL that leads to the listener only through a proxy.
#[test]
fn proxy_that_is_not_named_is_a_warning() {
    let has_warning = |variables: &[(&str, &str)]| {
        let env = [&[("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")], variables].concat().into_iter().collect();
        let all = Config::load(&env).expect("a configuration").warnings;
        all.iter().any(|warning| warning.to_string().starts_with("TRUSTED_PROXIES: unset"))
    };
    for (url, listen, is_behind_proxy) in [
        ("https://hooks.example.com", "127.0.0.1:8080", true),
        ("https://hooks.example.com", "0.0.0.0:8080", true),
        ("http://hooks.example.com", "127.0.0.1:8080", true),
        ("http://hooks.example.com:8080", "0.0.0.0:8080", false),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", false),
        ("http://localhost:8080", "127.0.0.1:8080", false),
    ] {
        let variables = [("WEBHOOK_BASE_URL", url), ("LISTEN", listen)];
        assert_eq!(has_warning(&variables), is_behind_proxy, "{url} {listen}");
        assert!(!has_warning(&[&variables[..], &[("TRUSTED_PROXIES", "127.0.0.1")]].concat()), "{url} {listen}");
    }
    assert!(has_warning(&[("TWILIO__WEBHOOK_BASE_URL", "https://hooks.example.com")]), "the URL of one endpoint");
    assert!(!has_warning(&[]));
}
