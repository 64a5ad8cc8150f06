//! Work that a request without a valid signature can cause.

use std::time::{Duration, Instant};

use waybill::{
    config::{Config, Env},
    endpoint::Endpoint,
    signature::Outgoing,
    time::Timestamp,
};

use crate::support::callback::received;

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
    let forged = fastest(3, || assert!(endpoint.verify(&callback).is_err()));
    println!("a forged request: {forged:?}; one hash of its body: {one_pass:?}");
    assert!(forged < one_pass * 60, "{forged:?} for a request whose body is hashed in {one_pass:?}");
}
