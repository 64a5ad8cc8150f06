//! What the test binaries share: databases of one's own, a gateway of one's own, a raw HTTP client.

pub mod callback;
pub mod chromium;
pub mod client;
pub mod database;
pub mod gateway;
pub mod metrics;
pub mod twilio;

/// A variable of the process: where `./test` says which Postgres to use, and what to rewrite.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own switches")]
    std::env::var(name).ok()
}
