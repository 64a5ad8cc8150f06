//! The client: one thread per connection, which sends the next request after each response.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use waybill::endpoint::Endpoint;

use crate::{servers, signed};

/// Number of requests between a message's first status and its second.
const DISTANCE: u64 = 2_001;

/// The generated requests: half report a new message, half a known one.
#[derive(Debug, Default)]
pub struct Requests {
    next: AtomicU64,
    acknowledged: AtomicU64,
}

impl Requests {
    /// The requests after the first `count`.
    pub fn after(count: u64) -> Self {
        Self { next: AtomicU64::new(count), ..Self::default() }
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// The next request, as sent over the connection; `None` at the end.
    fn next(&self, endpoint: &Endpoint, end: u64) -> Option<Vec<u8>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return None;
        }
        let (message, status) = match number.checked_sub(DISTANCE) {
            Some(known) if number % 2 == 1 => (known, "delivered"),
            _ => (number, "sent"),
        };
        Some(signed::request_bytes(endpoint, &signed::status_form(message, status)))
    }
}

/// The result of a round.
pub struct Load {
    pub per_second: f64,
    /// In microseconds.
    pub latencies: Vec<u32>,
}

/// Sends requests over several connections for the length of a round.
pub fn run(address: SocketAddr, connections: usize, round: Duration, requests: &Requests) -> Load {
    let stop = AtomicBool::new(false);
    let until = Until { stop: &stop, end: u64::MAX };
    send(&[address], connections, requests, &until, || {
        let (_sender, timer) = mpsc::channel::<()>();
        assert!(timer.recv_timeout(round).is_err(), "the round has ended");
        stop.store(true, Ordering::Relaxed);
    })
}

/// Sends that many requests as fast as they are answered, over connections to several servers.
pub fn burst(addresses: &[SocketAddr], connections: usize, count: u64, requests: &Requests) -> Load {
    let stop = AtomicBool::new(false);
    send(addresses, connections, requests, &Until { stop: &stop, end: count }, || {})
}

/// The end of a load: a flag, or a number of requests.
struct Until<'l> {
    stop: &'l AtomicBool,
    end: u64,
}

fn send(addresses: &[SocketAddr], connections: usize, requests: &Requests, until: &Until<'_>, meanwhile: impl FnOnce()) -> Load {
    let all = Mutex::new(Vec::new());
    let endpoint = servers::endpoint();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for address in addresses.iter().cycle().take(connections) {
            let (all, endpoint) = (&all, &endpoint);
            scope.spawn(move || {
                let latencies = connection(*address, endpoint, requests, until);
                all.lock().expect("no panic").extend(latencies);
            });
        }
        meanwhile();
    });
    let latencies = all.into_inner().expect("no panic");
    let responses = u32::try_from(latencies.len()).expect("fewer than 2^32");
    Load { per_second: f64::from(responses) / started.elapsed().as_secs_f64(), latencies }
}

fn connection(address: SocketAddr, endpoint: &Endpoint, requests: &Requests, until: &Until<'_>) -> Vec<u32> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket option");
    let (mut response, mut latencies) = ([0; 1024], Vec::new());
    while !until.stop.load(Ordering::Relaxed) {
        let Some(request) = requests.next(endpoint, until.end) else { break };
        let sent = Instant::now();
        stream.write_all(&request).expect("a sent request");
        let length = stream.read(&mut response).expect("a response");
        assert!(response[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response[..length]));
        latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        requests.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    latencies
}

/// p50, p99 and p99.9 of the latencies, in milliseconds.
pub fn percentiles(mut latencies: Vec<u32>) -> [f64; 3] {
    latencies.sort_unstable();
    [500, 990, 999].map(|share| {
        let index = latencies.len() * share / 1_000;
        f64::from(latencies[index.min(latencies.len() - 1)]) / 1e3
    })
}
