//! Slow bodies: other clients' are read meanwhile.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use waybill::config::BodyLimits;

use super::{now, open, variables};
use crate::support::{
    callback, client,
    database::{Backend, Database},
    gateway::Gateway,
    process::Process,
    twilio,
};

fn head(length: usize) -> String {
    format!("POST /webhooks/twilio HTTP/1.1\r\nHost: localhost\r\nX-Twilio-Signature: x\r\nContent-Length: {length}\r\n\r\n")
}

/// Room for ten full-size bodies, five of one network.
fn small_gateway() -> Gateway {
    Gateway::configured(now(), &variables(), |config| {
        let limits = &mut config.connections.bodies;
        *limits =
            BodyLimits { max_kib: 2_560, max_kib_of_network: 1_280, kib_per_second: 1, time: Duration::from_mins(1), ..*limits };
        config.connections.public.body = Duration::from_mins(1);
    })
}

/// Sends most of a full-size body, and keeps the rest.
fn open_slow(gateway: &Gateway, network: u8) -> TcpStream {
    let mut stream = open(network, gateway.address(), head(256 << 10).as_bytes());
    drop(stream.write_all(&vec![b'a'; 250_000]));
    stream
}

/// Sends less of a body than it declares, in two parts.
fn open_stalled(gateway: &Gateway, length: usize, declared: usize) -> TcpStream {
    let mut stream = open(1, gateway.address(), format!("{}{}", head(declared), "a".repeat(3_000)).as_bytes());
    drop(stream.write_all(&vec![b'a'; length - 3_000]));
    stream
}

/// True if a response has arrived, or the connection is closed.
fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// The status of a body of 200 kB, which arrives in many parts.
fn honest(gateway: &Gateway, network: u8) -> u16 {
    let mut stream = open(network, gateway.address(), head(200_000).as_bytes());
    stream.write_all(&vec![b'a'; 200_000]).expect("open");
    client::read(&mut stream).status
}

#[test]
fn one_network_cannot_use_up_the_room_for_bodies() {
    let gateway = small_gateway();
    let mut flood = Vec::new();
    for _ in 0..4 {
        flood.extend((0..10).map(|_| open_slow(&gateway, 1)));
        for network in 2..=4 {
            // 401 because of the signature: the body was read.
            assert_eq!(honest(&gateway, network), 401, "network {network}");
        }
    }
    assert_eq!(client::read(&mut flood[0]).status, 503, "the slowest was evicted");
}

#[test]
fn many_networks_cannot_use_up_the_room_for_bodies() {
    let gateway = small_gateway();
    let flood: Vec<_> = (1..=40).map(|network| open_slow(&gateway, network)).collect();
    // There is room for ten: once thirty are evicted, no more of the flood arrives.
    let deadline = Instant::now() + Duration::from_secs(20);
    while flood.iter().filter(|stream| is_answered(stream)).count() < 30 {
        assert!(Instant::now() < deadline, "the flood was not read");
        std::thread::yield_now();
    }
    for network in 50..60 {
        assert_eq!(honest(&gateway, network), 401, "network {network}");
    }
    drop(flood);
}

#[test]
fn body_below_the_least_rate_is_rejected() {
    let gateway = Gateway::configured(now(), &variables(), |config| {
        let limits = &mut config.connections.bodies;
        *limits =
            BodyLimits { grace: Duration::from_millis(200), kib_per_second: 1 << 20, time: Duration::from_mins(1), ..*limits };
        config.connections.public.body = Duration::from_mins(1);
    });
    let mut stream = open_slow(&gateway, 1);
    assert_eq!(client::read(&mut stream).status, 408);
}

/// Before, a body of which more than 16 KiB had arrived had the rate of one that was complete.
#[test]
fn declared_length_does_not_delay_the_end_of_a_stalled_body() {
    let gateway = Gateway::configured(now(), &variables(), |config| {
        let limits = &mut config.connections.bodies;
        *limits = BodyLimits { grace: Duration::from_secs(1), kib_per_second: 64, time: Duration::from_mins(1), ..*limits };
        config.connections.public.body = Duration::from_mins(1);
    });
    let mut stalled = [15_000, 18_000].map(|length| open_stalled(&gateway, length, 256 << 10));
    // Its deadline is 0.6 s after theirs.
    let mut later = open_stalled(&gateway, 60_000, 60_001);
    assert_eq!(client::read(&mut later).status, 408);
    for stream in &mut stalled {
        stream.set_nonblocking(true).expect("a socket");
        assert_eq!(client::read(stream).status, 408);
    }
}

#[test]
fn declared_lengths_do_not_use_up_the_share_of_the_network() {
    let gateway = small_gateway();
    let endpoint = gateway.endpoint(twilio::PATH);
    let mut flood = Vec::new();
    for round in 0..8 {
        flood.extend((0..3).map(|_| open_stalled(&gateway, 18_000, 256 << 10)));
        let body = format!("{}&Pad={}", callback::status_form(round, "sent"), "a".repeat(8_000));
        let request = callback::request_bytes(endpoint, &body);
        let mut honest = open(1, gateway.address(), b"");
        // With an answer from elsewhere in between, the parts arrive one at a time.
        for part in request.chunks(1_500) {
            honest.write_all(part).expect("open");
            assert_eq!(super::get(2, gateway.address(), "/webhooks/unknown"), 404);
        }
        assert_eq!(client::read(&mut honest).status, 200, "round {round}");
    }
}

#[test]
fn full_size_bodies_take_little_memory() {
    let process = Process::start(&Database::new(Backend::Sqlite), &[]);
    let idle = process.peak_memory();
    let mut streams: Vec<_> =
        (1..=40).cycle().take(400).map(|network| open(network, process.public, head(256 << 10).as_bytes())).collect();
    // All but their last 4 KiB, all at the same pace.
    for _ in 0..63 {
        for stream in &mut streams {
            drop(stream.write_all(&[b'a'; 4 << 10]));
        }
    }
    let mut honest = open(99, process.public, b"GET /webhooks/unknown HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client::read(&mut honest).status, 404);
    let peak = process.peak_memory();
    // On a busy machine many of them are below the least rate and end early.
    assert!((idle + 10..256).contains(&peak), "{peak} MiB with {} bodies, {idle} without", streams.len());
}
