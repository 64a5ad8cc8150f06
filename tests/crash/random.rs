//! Repeatable random times.

use std::time::Duration;

use crate::support::{self, numbers::Numbers};

pub struct Random(Numbers);

impl Random {
    /// A generator seeded by `CRASH_SEED` or by the system, and its seed.
    pub fn seeded() -> (Self, u64) {
        let seed = Numbers::seed("CRASH_SEED");
        (Self(Numbers::new(seed)), seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0.any() % end
    }

    /// A random time at which to end a gateway, from the start of its load.
    pub fn moment(&mut self, latest: Duration) -> Duration {
        const EARLIEST: u64 = 100;
        let span = u64::try_from(latest.as_millis()).expect("a few seconds") - EARLIEST;
        Duration::from_millis(EARLIEST + self.below(span))
    }

    /// An independent generator for the clients' choices. Their number depends on the machine, and must not affect the times.
    pub fn fork(&mut self) -> Self {
        Self(Numbers::new(self.below(u64::MAX)))
    }
}

/// Number of cycles and the latest time to end one: few and short, unless the variable selects the long form.
pub fn cycles(variable: &str, few: usize) -> (usize, Duration) {
    match support::variable(variable) {
        Some(cycles) => (cycles.parse().unwrap_or_else(|_| panic!("{variable} is a number")), Duration::from_secs(3)),
        None => (few, Duration::from_millis(600)),
    }
}
