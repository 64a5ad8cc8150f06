//! Random moments that can be repeated.

use std::time::Duration;

use crate::support;

/// The generator `SplitMix64`.
pub struct Random(u64);

impl Random {
    /// From `CRASH_SEED` or else from the system; also the seed, to be printed.
    pub fn seeded() -> (Self, u64) {
        let seed = support::variable("CRASH_SEED")
            .map_or_else(|| getrandom::u64().expect("random bytes"), |seed| seed.parse().expect("CRASH_SEED is a number"));
        (Self(seed), seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A moment to end a gateway at, counted from the start of the load.
    pub fn moment(&mut self, latest: Duration) -> Duration {
        const EARLIEST: u64 = 100;
        let span = u64::try_from(latest.as_millis()).expect("a few seconds") - EARLIEST;
        Duration::from_millis(EARLIEST + self.below(span))
    }

    /// An independent one, for the clients' choices: how many they make depends on the machine, the moments must not.
    pub fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}

/// How many cycles, and the latest moment to end one at: few and short, unless the variable asks for the long form.
pub fn cycles(variable: &str, few: usize) -> (usize, Duration) {
    match support::variable(variable) {
        Some(cycles) => (cycles.parse().unwrap_or_else(|_| panic!("{variable} is a number")), Duration::from_secs(3)),
        None => (few, Duration::from_millis(600)),
    }
}
