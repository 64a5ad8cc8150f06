//! Attacks from outside: clients without a secret, other tenants, holders of a read token. Each test shows a bound: bytes on the
//! disk, connections, the share of honest callers that are served meanwhile. `./test` runs them after all others, one at a time.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking; the support module serves several binaries"
)]

mod connections;
mod copies;
mod full_disk;
mod guesses;
mod operations;
mod readiness;
mod rejected;
mod spool_disk;
#[path = "../support/mod.rs"]
mod support;
mod verification;
