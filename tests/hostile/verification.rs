//! Work that a request without a valid signature can cause.

use std::{
    sync::atomic::{AtomicBool, Ordering},
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

/// A form of 256 KiB with a signature of the right length, for a URL with every character that is spelled in several ways, and with a
/// repeated name.
fn forged(endpoint: &Endpoint) -> Outgoing {
    let mut body = "a=1&a=2&CallSid=CA1342fe1b2c904d1ab04f0fc7a58abca9&b=".to_owned();
    body.push_str(&"x".repeat((256 << 10) - body.len()));
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
    let callback = received(&endpoint, forged(&endpoint), Timestamp::from_seconds(1_000).expect("an instant"));
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

/// Forged bodies of the largest size from one network, beside honest callers of another.
#[test]
fn forged_bodies_delay_no_other_network() {
    let keys: Vec<String> = (0..8).map(|number| format!("PSK{number}f1c9a0e5b7d42688c14d2a96f0b7e35")).collect();
    let urls: Vec<String> = (0..4).map(|number| format!("https://user:pass@hooks{number}.example.com:8443")).collect();
    let variables = owned(&[
        ("SIGNALWIRE_SIGNING_KEY", &keys.join(",")),
        ("WEBHOOK_BASE_URL", &urls.join(",")),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    let now = Timestamp::from_seconds(1_000).expect("an instant");
    let gateway = &Gateway::limited(Database::new(Backend::Sqlite), now, &variables);
    let endpoint = gateway.endpoint("/webhooks/signalwire");
    let honest = |number: usize| {
        let body = format!(r#"{{"id":"m{number}","project_id":"p","status":"sent"}}"#);
        let mut outgoing = endpoint.outgoing("POST", "/webhooks/signalwire", "application/json", body);
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        outgoing.headers.push(from("198.51.100.7"));
        let started = Instant::now();
        assert_eq!(gateway.send(&outgoing).status, 200, "callback {number}");
        started.elapsed()
    };
    let alone = mean(&(0..60).map(honest).collect::<Vec<_>>());
    let mut forged = forged(endpoint);
    forged.headers.push(from("203.0.113.9"));
    let is_over = AtomicBool::new(false);
    let (beside, sent) = std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let mut sent = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert!([401, 429].contains(&gateway.send(&forged).status));
                sent += 1;
            }
            sent
        });
        let beside = mean(&(60..180).map(honest).collect::<Vec<_>>());
        is_over.store(true, Ordering::Relaxed);
        (beside, attack.join().expect("an attacker"))
    });
    println!("mean alone {alone:?}, beside {sent} forged bodies of 256 KiB {beside:?}");
    assert!(sent > 0);
    assert!(beside < alone * 20 + Duration::from_millis(100), "{beside:?} beside the attack, {alone:?} alone");
}
