//! Shared by the test binaries: private databases, private gateways, a raw HTTP client.

pub mod callback;
pub mod chromium;
pub mod client;
pub mod database;
pub mod gateway;
pub mod metrics;
pub mod process;
pub mod timing;
pub mod twilio;

/// An environment variable of the test run: which Postgres to use, and which files to rewrite.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own switches")]
    std::env::var(name).ok()
}
