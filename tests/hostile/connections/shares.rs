//! Floods of connections: other clients are served meanwhile.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use waybill::config::ConnectionLimits;

use super::{get, now, open, read_to_end, variables};
use crate::support::{
    client,
    gateway::{Gateway, OPS_TOKEN},
    twilio,
};

const HALF: &[u8] = b"GET /webhooks/unknown HTTP/1.1\r\nHo";

/// Deadlines that end no connection during a test, so that only eviction does.
fn patient(limits: &mut ConnectionLimits) {
    limits.head = Duration::from_mins(5);
    limits.idle = Duration::from_mins(5);
}

fn small_gateway() -> Gateway {
    Gateway::configured(now(), &variables(), |config| {
        patient(&mut config.connections.public);
        config.connections.public.max = 64;
        config.connections.public.max_of_network = 32;
    })
}

#[test]
fn one_network_cannot_use_up_the_connections() {
    let gateway = small_gateway();
    let mut flood: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        flood.extend((0..10).map(|_| open(1, gateway.address(), HALF)));
        assert_eq!(get(2, gateway.address(), "/webhooks/unknown"), 404, "of another network");
        assert_eq!(get(1, gateway.address(), "/webhooks/unknown"), 404, "of the same network");
    }
    // The oldest were evicted; a share of 32 remains.
    for stream in flood.iter_mut().take(200 - 40) {
        let received = read_to_end("beyond the share", stream);
        assert!(received.is_empty() || received.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&received));
    }
}

#[test]
fn many_networks_cannot_use_up_the_connections() {
    let gateway = small_gateway();
    // More networks than connections, so that none exceeds its share.
    let flood: Vec<TcpStream> = (1..=200).map(|network| open(network, gateway.address(), HALF)).collect();
    let waiting = open(201, gateway.address(), b"");
    for network in 210..=230 {
        assert_eq!(get(network, gateway.address(), "/webhooks/unknown"), 404, "{network}");
    }
    drop((flood, waiting));
}

/// Connections without a token are evicted, and neither an event stream nor an application with a token is.
#[test]
fn probes_are_answered_during_a_flood_of_the_operations_listener() {
    let gateway = Gateway::configured(now(), &variables(), |config| patient(&mut config.connections.ops));
    let ops = gateway.running().ops;
    let authorized = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPS_TOKEN}\r\n\r\n");
    let events = open(1, ops, authorized("/api/events/stream").as_bytes());
    let mut events = BufReader::new(events).lines().map(|line| line.expect("a line"));
    events.find(|line| line.starts_with("retry:")).expect("the start of the stream");
    let mut application = open(1, ops, authorized("/api/messages").as_bytes());
    assert_eq!(client::read(&mut application).status, 200);
    let mut flood = Vec::new();
    for network in 1..=3 {
        flood.extend((0..90).map(|_| open(network, ops, b"")));
        flood.extend((0..60).map(|_| open(network, ops, HALF)));
        flood.extend((0..10).map(|_| open(network, ops, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")));
        for probe in [network, 9] {
            assert_eq!(get(probe, ops, "/livez"), 200);
            assert_eq!(get(probe, ops, "/readyz"), 200);
        }
    }
    application.write_all(authorized("/api/messages").as_bytes()).expect("open");
    assert_eq!(client::read(&mut application).status, 200, "a connection that has shown a token");
    assert_eq!(twilio::form(&gateway, "MessageSid=SM1&MessageStatus=sent").status, 200);
    assert!(events.find(|line| line.starts_with("data:")).expect("an event").contains("SM1"));
}
