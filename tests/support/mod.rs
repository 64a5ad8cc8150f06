//! Shared by the test binaries: private databases, private gateways, a raw HTTP client.

pub mod callback;
pub mod chromium;
pub mod client;
pub mod cluster;
pub mod database;
pub mod direct;
pub mod gateway;
pub mod metrics;
pub mod nats;
pub mod numbers;
pub mod poll;
pub mod process;
pub mod proxy;
pub mod timing;
pub mod twilio;

/// Bytes for generated secrets, no two of them equal: a repetition would be rejected as one that can be guessed.
pub fn random(seed: u8) -> [u8; 32] {
    std::array::from_fn(|place| seed.wrapping_add(u8::try_from(place * 37 % 256).expect("a byte")))
}

/// An environment variable of the test run: which Postgres to use, and which files to rewrite.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own switches")]
    std::env::var(name).ok()
}
