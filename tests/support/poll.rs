//! Waits for what happens in other threads and processes. A test that waits in vain fails.

use std::time::{Duration, Instant};

/// Longest wait for anything. It only ends tests that fail, so it suits the slowest machine.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// Polls until there is a value.
pub fn eventually<T>(what: &str, mut read: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = read() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Polls until a condition holds.
pub fn wait_until(what: &str, mut is_reached: impl FnMut() -> bool) {
    eventually(what, || is_reached().then_some(()));
}
