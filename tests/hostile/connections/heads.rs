//! Heads that are larger than any honest one.

use std::io::Write;

use super::{now, open, read_to_end, source, variables};
use crate::support::{
    client,
    database::{Backend, Database},
    gateway::Gateway,
    process::Process,
};

const GET: &str = "GET /webhooks/unknown HTTP/1.1\r\nHost: localhost\r\n";

#[test]
fn head_is_limited_on_every_request() {
    let gateway = Gateway::start(Backend::Sqlite, now(), &variables());
    for address in [gateway.address(), gateway.running().ops] {
        for first in ["", &format!("{GET}\r\n")] {
            let mut stream = open(1, address, format!("{first}{GET}X: {}", "a".repeat(60_000)).as_bytes());
            let received = read_to_end("a large head", &mut stream);
            let received = String::from_utf8_lossy(&received);
            // After a reset the response may be lost; the request is never handled.
            assert!(received.matches("HTTP/1.1 40").count() <= first.matches("GET").count(), "{received}");
        }
    }
    let mut stream = open(1, gateway.address(), format!("{GET}X: {}\r\n\r\n", "a".repeat(15 << 10)).as_bytes());
    assert_eq!(client::read(&mut stream).status, 404, "an unknown path, and not a large head");
}

/// Before, each of these held 130 kB for as long as it stayed open, which took more than 200 MiB.
#[test]
fn unfinished_heads_take_little_memory() {
    let process = Process::start(&Database::new(Backend::Sqlite), &[]);
    let head = format!("{GET}\r\n{GET}X: {}", "a".repeat(130_000));
    let streams: Vec<_> = (1..=40)
        .cycle()
        .take(800)
        .map(|network| {
            let mut stream = client::connect_from(source(network), process.public);
            drop(stream.write_all(head.as_bytes()));
            stream
        })
        .collect();
    let mut honest = open(99, process.public, format!("{GET}\r\n").as_bytes());
    assert_eq!(client::read(&mut honest).status, 404);
    let peak = process.peak_memory();
    assert!(peak < 120, "{peak} MiB with {} heads", streams.len());
}
