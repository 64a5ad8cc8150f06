//! Slow bodies: other clients' are read meanwhile.

use std::{io::Write, net::TcpStream, time::Duration};

use waybill::config::BodyLimits;

use super::{now, open, variables};
use crate::support::{client, gateway::Gateway};

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
