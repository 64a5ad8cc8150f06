//! Every state of a connection ends by itself.

use std::{
    io::{ErrorKind, Read, Write},
    time::Duration,
};

use super::{get, now, open, read_to_end, variables};
use crate::support::{
    client,
    database::Backend,
    gateway::{Gateway, OPS_TOKEN},
};

const GET: &str = "GET /webhooks/unknown HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CHUNKED: &str = "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";

/// With the default limits. Before there were deadlines for every state, all but four of these stayed open for ever.
#[test]
fn every_state_has_a_deadline() {
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables());
    let (public, ops) = (gateway.address(), gateway.running().ops);
    let signed = "Host: localhost\r\nX-Twilio-Signature: x";
    let states = [
        (public, "before the first byte", String::new(), ""),
        (public, "in the first head", "GET / HT".to_owned(), "408"),
        (public, "between two requests", GET.to_owned(), "404"),
        (public, "in the second head", format!("{GET}G"), "404"),
        (public, "in a body", format!("POST /webhooks/twilio HTTP/1.1\r\n{signed}\r\nContent-Length: 10\r\n\r\nabc"), "408"),
        (public, "in a chunked body", format!("POST /webhooks/twilio HTTP/1.1\r\nX-Twilio-Signature: x\r\n{CHUNKED}"), "408"),
        (public, "in an unread body of an unknown path", format!("POST /webhooks/unknown HTTP/1.1\r\n{CHUNKED}"), "404"),
        (public, "in an unread body without a signature", format!("POST /webhooks/twilio HTTP/1.1\r\n{CHUNKED}"), "401"),
        (public, "in an unread body of a wrong method", format!("PUT /webhooks/twilio HTTP/1.1\r\n{CHUNKED}"), "405"),
        (ops, "in an unread body without a token", format!("POST /api/messages HTTP/1.1\r\n{CHUNKED}"), "401"),
        (ops, "in an unread body of a probe", format!("GET /livez HTTP/1.1\r\n{CHUNKED}"), "200"),
        (ops, "in the second head of the operations listener", format!("{GET}G"), "401"),
    ];
    let streams: Vec<_> = states.iter().map(|(address, _, bytes, _)| open(1, *address, bytes.as_bytes())).collect();
    for ((_, state, _, status), mut stream) in states.iter().zip(streams) {
        let received = read_to_end(state, &mut stream);
        let received = String::from_utf8_lossy(&received);
        assert_eq!(received.get(9..12).unwrap_or_default(), *status, "{state}: {received}");
    }
    assert_eq!(get(1, public, "/webhooks/health"), 200);
}

/// A load balancer keeps its connections for longer than the default time. No other deadline ends them before.
#[test]
fn keep_alive_may_be_longer_than_every_other_deadline() {
    let mut variables = variables();
    variables.push(("WEBHOOK_KEEP_ALIVE".to_owned(), "3".to_owned()));
    let gateway = Gateway::configured(now(), &variables, |config| {
        assert_eq!(config.connections.public.idle, Duration::from_secs(3));
        let limits = &mut config.connections.public;
        for time in [&mut limits.head, &mut limits.body, &mut limits.request, &mut limits.write, &mut limits.rest] {
            *time = Duration::from_millis(500);
        }
    });
    let mut stream = open(1, gateway.address(), GET.as_bytes());
    for _ in 0..2 {
        assert_eq!(client::read(&mut stream).status, 404);
        stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        let error = stream.read(&mut [0]).expect_err("nothing to read");
        assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()), "closed: {error}");
        stream.write_all(GET.as_bytes()).expect("open");
    }
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    read_to_end("after the time between two requests", &mut stream);
}

#[test]
fn body_with_a_valid_token_has_a_deadline() {
    let gateway = Gateway::configured(now(), &variables(), |config| config.connections.ops.body = Duration::from_millis(300));
    let head =
        format!("PUT /api/messages HTTP/1.1\r\nAuthorization: Bearer {OPS_TOKEN}\r\nContent-Type: application/json\r\n{CHUNKED}");
    let mut stream = open(1, gateway.running().ops, head.as_bytes());
    read_to_end("in a body", &mut stream);
}

/// A client that sends requests and reads no response gets no further ones, and is closed.
#[test]
fn unread_responses_have_a_deadline() {
    let gateway = Gateway::configured(now(), &variables(), |config| config.connections.ops.write = Duration::from_millis(300));
    let request = format!("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPS_TOKEN}\r\n\r\n");
    let mut stream = open(1, gateway.running().ops, b"");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    // Without reading anything, until the gateway has closed the connection.
    let error = loop {
        if let Err(error) = stream.write_all(request.repeat(50).as_bytes()) {
            break error;
        }
    };
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()), "still open: {error}");
}

/// A body that is still arriving when its request is rejected is read and discarded for a short time: the response is not lost, and the
/// connection stays usable if the body ends.
#[test]
fn unread_body_that_ends_keeps_the_connection() {
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables());
    let mut stream = open(1, gateway.address(), format!("POST /webhooks/unknown HTTP/1.1\r\n{CHUNKED}").as_bytes());
    assert_eq!(client::read(&mut stream).status, 404);
    stream.write_all(b"cde\r\n0\r\n\r\n").expect("open");
    stream.write_all(GET.as_bytes()).expect("open");
    assert_eq!(client::read(&mut stream).status, 404);
}

/// Before, requests that had arrived together with the first were served after the announcement.
#[test]
fn nothing_is_served_after_the_announced_end_of_a_connection() {
    let gateway = Gateway::configured(now(), &variables(), |config| {
        for limits in [&mut config.connections.public, &mut config.connections.ops] {
            limits.rest = Duration::from_millis(300);
        }
    });
    let (public, ops) = (gateway.address(), gateway.running().ops);
    let body = "Host: localhost\r\nContent-Length: 3\r\n\r\na=b";
    let requests = [
        (public, "an unknown path", format!("POST /webhooks/unknown HTTP/1.1\r\n{body}"), "404"),
        (public, "no signature", format!("POST /webhooks/twilio HTTP/1.1\r\n{body}"), "401"),
        (
            public,
            "the client closes",
            format!("POST /webhooks/twilio HTTP/1.1\r\nX-Twilio-Signature: x\r\nConnection: close\r\n{body}"),
            "401",
        ),
        (public, "HTTP/1.0", "GET /webhooks/health HTTP/1.0\r\n\r\n".to_owned(), "200"),
        (
            public,
            "a WebSocket",
            format!("POST /webhooks/twilio HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{body}"),
            "400",
        ),
        (ops, "a body without a token", format!("POST /api/messages HTTP/1.1\r\n{body}"), "401"),
    ];
    let streams: Vec<_> =
        requests.iter().map(|(address, _, first, _)| open(1, *address, format!("{first}{GET}{GET}").as_bytes())).collect();
    for ((_, what, _, status), mut stream) in requests.iter().zip(streams) {
        let received = read_to_end(what, &mut stream);
        let received = String::from_utf8_lossy(&received);
        assert_eq!(received.get(9..12).unwrap_or_default(), *status, "{what}: {received}");
        assert_eq!(received.matches("HTTP/1.").count(), 1, "{what}: {received}");
        assert!(received.contains("connection: close\r\n") || *what == "HTTP/1.0", "{what}: {received}");
    }
}

/// An upgrade that the gateway does not offer is ignored.
#[test]
fn other_upgrades_are_ignored() {
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables());
    let head = "POST /webhooks/twilio HTTP/1.1\r\nHost: localhost\r\nX-Twilio-Signature: x\r\nContent-Length: 3\r\n";
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\na=b";
    let mut stream = open(1, gateway.address(), format!("{head}{upgrade}").as_bytes());
    assert_eq!(client::read(&mut stream).status, 401, "the body was read");
}

#[test]
fn pipelining_and_expectations_work() {
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables());
    let mut stream = open(1, gateway.address(), GET.repeat(40).as_bytes());
    let post = "POST /webhooks/twilio HTTP/1.1\r\nHost: localhost\r\nX-Twilio-Signature: x\r\nConnection: close\r\n";
    stream.write_all(format!("{post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n").as_bytes()).expect("open");
    stream.write_all(b"a=b").expect("open");
    let received = String::from_utf8_lossy(&read_to_end("after the last request", &mut stream)).into_owned();
    assert_eq!(received.matches("HTTP/1.1 404").count(), 40, "{received}");
    assert!(received.contains("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401"), "{received}");
}
