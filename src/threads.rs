//! Waits for threads that end. One that waits for a database or a disk that does not answer cannot be interrupted.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Waits until a condition holds; returns false if it is given up before.
pub(crate) fn wait(is_over: impl Fn() -> bool, is_given_up: impl Fn() -> bool) -> bool {
    const INTERVAL: Duration = Duration::from_millis(2);
    while !is_over() {
        if is_given_up() {
            return false;
        }
        thread::park_timeout(INTERVAL);
    }
    true
}

/// Waits for the end of a thread, at most until then, and logs what is wrong.
pub(crate) fn join<T>(thread: JoinHandle<T>, deadline: Instant, name: &str) {
    if !wait(|| thread.is_finished(), || Instant::now() >= deadline) {
        tracing::warn!("{name} did not end in time: the database, the broker or the disk does not answer");
    } else if thread.join().is_err() {
        tracing::error!("{name} panicked");
    }
}
