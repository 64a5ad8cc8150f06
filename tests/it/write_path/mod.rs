//! Cost of a callback on the write path, and the rows of hostile, long and concurrent callbacks.

mod applied_rule;
mod btrees;
mod from_queue;
mod hostile;
mod mapping_race;
mod on_postgres;
mod recipients;
mod round_trips;
mod texts;

use std::time::{Duration, Instant};

/// Polls a condition until it holds.
pub(crate) fn wait_until(what: &str, mut is_reached: impl FnMut() -> bool) {
    const TIMEOUT: Duration = Duration::from_secs(30);
    let started = Instant::now();
    while !is_reached() {
        assert!(started.elapsed() < TIMEOUT, "{what} took too long");
        std::thread::yield_now();
    }
}
