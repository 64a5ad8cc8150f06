//! Methods and versions of HTTP: HEAD where GET is, 405 elsewhere, HTTP/1.0.

use std::io::Write;

use waybill::{providers, time::Timestamp};

use crate::support::{
    client,
    database::Backend,
    gateway::{Gateway, OPS_TOKEN},
};

fn gateway() -> Gateway {
    let proofs = providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &crate::support::random(1)));
    Gateway::start(Backend::Sqlite, Timestamp::from_seconds(1_773_500_000).expect("an instant"), &proofs.collect::<Vec<_>>())
}

/// HEAD is a probe wherever GET is, and no callback even if it is signed.
#[test]
fn head_is_answered_where_get_is_and_stores_nothing() {
    let gateway = gateway();
    let before = gateway.row_counts();
    for path in
        ["/webhooks/twilio", "/webhooks/vonage?a=1", "/webhooks/signalwire", "/webhooks/signalwire/swml", "/webhooks/health"]
    {
        let response = client::send(gateway.address(), "HEAD", path, &[], b"");
        assert_eq!((response.status, response.body.as_slice()), (200, &b""[..]), "{path}");
    }
    let endpoint = gateway.endpoint("/webhooks/twilio");
    let mut signed = endpoint.outgoing("GET", "/webhooks/twilio?MessageSid=SM1&SmsStatus=received&Body=hi", "", "");
    endpoint.sign(endpoint.spec.schemes[0], &mut signed);
    signed.method = "HEAD".to_owned();
    assert_eq!(gateway.send(&signed).status, 200);
    assert_eq!(gateway.row_counts(), before, "HEAD stores nothing");
    signed.method = "GET".to_owned();
    assert_eq!((gateway.send(&signed).status, gateway.row_counts() == before), (200, false), "the same request by GET");
    for path in ["/webhooks/unknown", "/webhooks/vonage/t/0123456789abcdef0123456789abcdef"] {
        assert_eq!(client::send(gateway.address(), "HEAD", path, &[], b"").status, 404, "{path}");
    }
    for path in ["/webhooks/resend", "/webhooks/mifumo", "/webhooks/conversation"] {
        assert_eq!(client::send(gateway.address(), "HEAD", path, &[], b"").status, 405, "{path}");
    }
}

#[test]
fn ops_listener_answers_head_where_get_is() {
    let gateway = gateway();
    let (ops, token) = (gateway.running().ops, format!("Bearer {OPS_TOKEN}"));
    let send = |method: &str, path: &str| client::send(ops, method, path, &[("Authorization".to_owned(), token.clone())], b"");
    let routes = waybill::http::routes().chain(waybill::http::PAGE_ROUTES.iter().copied());
    let (gets, posts): (Vec<_>, Vec<_>) = routes.partition(|(method, _)| *method == "get");
    for (_, path) in gets {
        let path = path.replace("{id}", "1");
        let head = send("HEAD", &path);
        assert_eq!(head.body, b"", "{path}");
        if path != "/api/events/stream" {
            assert_eq!(head.status, send("GET", &path).status, "{path}");
        }
        let other = send("DELETE", &path);
        let allowed = if path == "/api/messages" { "GET, HEAD, POST" } else { "GET, HEAD" };
        assert_eq!((other.status, other.header("Allow")), (405, Some(allowed)), "{path}");
        assert_eq!(client::send(ops, "HEAD", &path, &[], b"").status, if path.ends_with('z') { 200 } else { 401 }, "{path}");
    }
    for (_, path) in posts.into_iter().filter(|(_, path)| *path != "/api/messages") {
        let head = send("HEAD", &path.replace("{id}", "1"));
        assert_eq!((head.status, head.header("Allow")), (405, Some("POST")), "{path}");
    }
    let link = &gateway.running().gateway.login_link;
    let code = link.offer(gateway.running().gateway.clock.now()).expect("a code");
    let login = format!("/login?code={code}");
    assert_eq!(client::send(ops, "HEAD", &login, &[], b"").header("set-cookie"), None, "HEAD uses up no link");
    assert!(client::get(ops, &login, &[]).header("set-cookie").is_some());
}

/// A request without a length has no body, in HTTP/1.0 as well.
#[test]
fn empty_post_of_http_1_0_is_answered_like_any_other() {
    let gateway = gateway();
    let exchange = |bytes: &[u8]| {
        let response = client::exchange(gateway.address(), bytes);
        (response.status, String::from_utf8(response.body).expect("UTF-8"))
    };
    let probe = || (200, r#"{"probe":true}"#.to_owned());
    for head in ["", "Host: h\r\n", "Connection: keep-alive\r\nUser-Agent: Nexmo/MessagingHUB/v1.0\r\n", "Content-Length: 0\r\n"]
    {
        assert_eq!(exchange(format!("POST /webhooks/vonage HTTP/1.0\r\n{head}\r\n").as_bytes()), probe(), "{head}");
        assert_eq!(exchange(format!("POST /webhooks/twilio HTTP/1.0\r\n{head}\r\n").as_bytes()).0, 401, "{head}");
        assert_eq!(exchange(format!("POST /webhooks/unknown HTTP/1.0\r\n{head}\r\n").as_bytes()).0, 404, "{head}");
    }
    let mut stream = client::connect(gateway.address());
    for piece in ["POST /webhooks/von", "age HTTP/1.0\r\nHost: h\r\n\r", "\n"] {
        stream.write_all(piece.as_bytes()).expect("open");
    }
    assert_eq!(client::read(&mut stream).status, 200, "in pieces");
    // The length of these bodies is not known.
    assert_eq!(exchange(b"POST /webhooks/vonage HTTP/1.0\r\n\r\nmessageId=1").0, 400);
    assert_eq!(exchange(b"POST /webhooks/vonage HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").0, 400);
    let signed = {
        let endpoint = gateway.endpoint("/webhooks/mifumo");
        let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", r#"{"event":"x"}"#);
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        let headers: Vec<String> = outgoing.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        format!("POST /webhooks/mifumo HTTP/1.0\r\n{headers}Content-Length: 13\r\n\r\n{}", r#"{"event":"x"}"#)
    };
    assert_eq!(exchange(signed.as_bytes()).0, 200, "a callback with its length");
}
