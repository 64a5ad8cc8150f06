//! Work that a request without a valid signature can cause.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use waybill::{
    config::{Config, Env},
    endpoint::Endpoint,
    signature::Outgoing,
    time::Timestamp,
};

use crate::support::{
    callback::received,
    database::{Backend, Database},
    gateway::Gateway,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// An endpoint with as many secrets and addresses as the configuration permits, and addresses with as many spellings as there are.
fn largest() -> Endpoint {
    let keys: Vec<String> = (0..8).map(|number| format!("PSK{number}f1c9a0e5b7d42688c14d2a96f0b7e35")).collect();
    let urls: Vec<String> = (0..4).map(|number| format!("https://user:pass@hooks{number}.example.com:8443")).collect();
    let variables = [("SIGNALWIRE_SIGNING_KEY", keys.join(",")), ("WEBHOOK_BASE_URL", urls.join(","))];
    let env: Env = variables.into_iter().collect();
    Config::load(&env).unwrap_or_else(|problems| panic!("{problems}")).config.endpoints.remove(0).build()
}

/// A form of that length with a signature of the right length, for a URL with every character that is spelled in several ways, and with a
/// repeated name.
fn forged(endpoint: &Endpoint, length: usize) -> Outgoing {
    let mut body = "a=1&a=2&CallSid=CA1342fe1b2c904d1ab04f0fc7a58abca9&b=".to_owned();
    body.push_str(&"x".repeat(length - body.len()));
    let mut outgoing = endpoint.outgoing("POST", "/webhooks/signalwire?x='%27%40%3A", FORM, body);
    outgoing.header("X-SignalWire-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
    outgoing
}

fn fastest(runs: usize, mut run: impl FnMut()) -> Duration {
    let times = (0..runs).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    times.min().expect("at least one run")
}

/// The work of a forged request is bounded, however many secrets and addresses are configured.
#[test]
fn forged_request_costs_a_bounded_number_of_hashes() {
    let endpoint = largest();
    let callback = received(&endpoint, forged(&endpoint, 256 << 10), Timestamp::from_seconds(1_000).expect("an instant"));
    let one_pass = fastest(5, || {
        std::hint::black_box(waybill::signature::HmacSha1Key::new(b"key"));
        std::hint::black_box(sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha1::Sha1 as sha2::Digest>::new(),
            &callback.body,
        )));
    });
    let forged = fastest(5, || assert!(endpoint.verify(&callback).is_err()));
    println!("a forged request: {forged:?}; one hash of its body: {one_pass:?}");
    assert!(forged < one_pass * 200, "{forged:?} for a request whose body is hashed in {one_pass:?}");
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from(client: &str) -> (String, String) {
    ("X-Forwarded-For".to_owned(), client.to_owned())
}

/// The mean shows a delay of every second request, which a median may not.
fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len()).expect("few requests")
}

/// A gateway whose endpoint has as many secrets and addresses as [`largest`], behind a proxy that adds the client's address.
fn with_many_keys() -> Gateway {
    let keys: Vec<String> = (0..8).map(|number| format!("PSK{number}f1c9a0e5b7d42688c14d2a96f0b7e35")).collect();
    let urls: Vec<String> = (0..4).map(|number| format!("https://user:pass@hooks{number}.example.com:8443")).collect();
    let variables = owned(&[
        ("SIGNALWIRE_SIGNING_KEY", &keys.join(",")),
        ("WEBHOOK_BASE_URL", &urls.join(",")),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    Gateway::limited(Database::new(Backend::Sqlite), Timestamp::from_seconds(1_000).expect("an instant"), &variables)
}

/// The time until the response to an honest callback with a body of about that length.
fn honest(gateway: &Gateway, number: usize, length: usize) -> Duration {
    let endpoint = gateway.endpoint("/webhooks/signalwire");
    let padding = "x".repeat(length);
    let body = format!(r#"{{"id":"m{length}-{number}","project_id":"p","status":"sent","padding":"{padding}"}}"#);
    let mut outgoing = endpoint.outgoing("POST", "/webhooks/signalwire", "application/json", body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    outgoing.headers.push(from("198.51.100.7"));
    let started = Instant::now();
    assert_eq!(gateway.send(&outgoing).status, 200, "callback {number}");
    started.elapsed()
}

/// The times of `count` honest callbacks or more, while another network sends forged bodies of that length on four connections at once.
fn beside_forgeries(gateway: &Gateway, length: usize, count: usize, size: usize) -> Vec<Duration> {
    const ENOUGH: usize = 40;
    let mut forged = forged(gateway.endpoint("/webhooks/signalwire"), length);
    forged.headers.push(from("203.0.113.9"));
    let (is_over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert!([401, 429, 503].contains(&gateway.send(&forged).status));
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let numbers = (count..).take_while(|number| *number < 2 * count || sent.load(Ordering::Relaxed) < ENOUGH);
        let times = numbers.map(|number| honest(gateway, number, size)).collect();
        is_over.store(true, Ordering::Relaxed);
        times
    })
}

/// Forged bodies of one network, beside honest callers of another, with small and with large bodies. A small body that is forged costs as
/// much as a large one, because more keys and spellings are tried.
#[test]
fn forged_bodies_delay_no_other_network() {
    for length in [256 << 10, 4 << 10] {
        for (size, count) in [(0, 100), (200 << 10, 12)] {
            let gateway = with_many_keys();
            let alone = mean(&(0..count).map(|number| honest(&gateway, number, size)).collect::<Vec<_>>());
            let mut times = beside_forgeries(&gateway, length, count, size);
            times.sort();
            let (beside, median) = (mean(&times), times[times.len() / 2]);
            println!("{length} forged, {size} honest: mean alone {alone:?}, beside {beside:?}, median {median:?}");
            assert!(beside < alone * 10 + Duration::from_millis(100), "{beside:?} beside the attack, {alone:?} alone");
        }
    }
}
