//! Rejected requests: bytes on the disk, and room for those of other networks.

use std::{
    fs,
    io::Write,
    net::{Ipv6Addr, SocketAddr},
    path::Path,
};

use waybill::time::Timestamp;

use crate::support::{
    client,
    database::{BACKENDS, Backend, Database},
    gateway::Gateway,
    twilio::{self, TOKEN},
};

const NOW: i64 = 1_773_500_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).expect("an instant")
}

fn gateway(backend: Backend) -> Gateway {
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN), ("TRUSTED_PROXIES", "127.0.0.1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Gateway::limited(Database::new(backend), at(NOW), &variables)
}

/// Sends forged requests on one connection, each from another client; returns their statuses.
fn flood(address: SocketAddr, clients: impl Iterator<Item = Ipv6Addr>, body: &str) -> Vec<u16> {
    let mut stream = client::connect(address);
    let mut send = |client: Ipv6Addr| {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {client}\r\nX-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            twilio::PATH,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("an open connection");
        client::read(&mut stream).status
    };
    clients.map(&mut send).collect()
}

/// A client of the network with that number; each network is a /48 of its own.
fn client_of(network: u32) -> Ipv6Addr {
    Ipv6Addr::from((0x2001 << 112) | (u128::from(network) << 80) | 1)
}

/// Name and size of each file in a folder.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name().into_string().expect("UTF-8"), entry.metadata().expect("a file").len())).collect()
}

fn size(files: &[(String, u64)], is_counted: impl Fn(&str) -> bool) -> u64 {
    files.iter().filter(|(name, _)| is_counted(name)).map(|(_, size)| size).sum()
}

/// 4,000 forged requests with bodies of 4 KiB, each from a network of its own, in eight minutes.
#[test]
fn flood_from_many_networks_is_bounded_on_the_disk() {
    let gateway = gateway(Backend::Sqlite);
    let Database::Sqlite { folder, .. } = &gateway.database else { panic!("SQLite") };
    let body = format!("MessageSid=SM1&MessageStatus=sent&x={}", "y".repeat(4 << 10));
    let before = files(folder.path());
    for minute in 0..8_u32 {
        gateway.set_clock(at(NOW + 60 * i64::from(minute)));
        let statuses = std::thread::scope(|scope| {
            let (address, body) = (gateway.address(), &body);
            let threads = [0, 250].map(|first| {
                let clients = (minute * 500 + first..minute * 500 + first + 250).map(client_of);
                scope.spawn(move || flood(address, clients, body))
            });
            let honest = twilio::form(&gateway, &format!("MessageSid=SM{minute:032}&MessageStatus=sent"));
            assert_eq!(honest.status, 200, "beside the flood");
            threads.map(|thread| thread.join().expect("no panic")).concat()
        });
        assert!(statuses.iter().all(|status| *status == 401), "none is over the limit of its network");
    }
    gateway.running().gateway.rejections.settle();
    let after = files(folder.path());
    let is_log = |name: &str| name.ends_with("-wal");
    assert!(size(&after, is_log) <= size(&before, is_log) + (1 << 20), "{after:?}");
    let is_counted = |name: &str| !name.ends_with("-reserve");
    assert!(size(&after, is_counted) <= size(&before, is_counted) + (12 << 20), "{after:?}");
}

/// The flood of a network that has a whole /48, then one callback of a provider whose URL is configured wrong, then another flood.
#[test]
fn flood_of_one_network_leaves_room_for_others() {
    for backend in BACKENDS {
        let gateway = gateway(backend);
        let attackers =
            |minute: u32| (0..300).map(move |host| Ipv6Addr::from(ATTACKER | (u128::from(minute * 300 + host) << 64)));
        let body = format!("MessageSid=SM1&MessageStatus=sent&x={}", "y".repeat(4 << 10));
        let mut limited = 0;
        for minute in 0..12 {
            gateway.set_clock(at(NOW + 60 * i64::from(minute)));
            limited += flood(gateway.address(), attackers(minute), &body).iter().filter(|status| **status == 429).count();
            if minute == 3 {
                assert_eq!(misconfigured(&gateway), 401);
            }
        }
        assert!(limited > 500, "a /48 has one limit: {limited}");
        gateway.running().gateway.rejections.close();
        let rows = gateway.database.rows("rejected_requests");
        let honest: Vec<_> = rows.iter().filter(|row| row["network"] == "198.51.100.0/24").collect();
        assert_eq!(honest.len(), 1, "its request is still stored among {} others", rows.len());
        let finding = honest[0]["finding"].as_str().expect("examined");
        assert!(finding.contains("set WEBHOOK_BASE_URL"), "{finding}");
        assert_eq!(
            honest[0]["body_bytes"].as_u64().map(|bytes| bytes * 2),
            honest[0]["body"].as_str().map(|hex| hex.len() as u64)
        );
        let of_attacker = rows.iter().filter(|row| row["network"] == "2001:db8::/48");
        assert!(
            of_attacker.clone().count() > 100
                && of_attacker.clone().all(|row| row["body"].as_str().is_some_and(|hex| hex.len() == 2_048))
        );
    }
}

/// A network of 65,536 /64s.
const ATTACKER: u128 = 0x2001_0db8 << 96;

/// A callback that is signed for another URL than the configured one; returns its status.
fn misconfigured(gateway: &Gateway) -> u16 {
    let endpoint = gateway.endpoint(twilio::PATH);
    let body = format!("MessageSid=SM00000000000000000000000000000009&MessageStatus=sent&x={}", "y".repeat(2 << 10));
    let mut outgoing = endpoint.outgoing("POST", twilio::PATH, "application/x-www-form-urlencoded", body);
    outgoing.public_url = "http://hooks.example.com".parse().ok();
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing.headers.push(("X-Forwarded-For".to_owned(), "198.51.100.7".to_owned()));
    gateway.send(&outgoing).status
}
