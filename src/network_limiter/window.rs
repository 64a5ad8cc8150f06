//! The use of a sliding minute, in constant memory.

use std::sync::{Mutex, PoisonError};

use crate::{limiter::RateLimited, time::Timestamp};

/// The length of a window, in microseconds.
const MINUTE: i64 = 60_000_000;

/// The use of the last minute by two counters: the use of the previous window counts by the share of it that lies in this minute.
#[derive(Clone, Copy)]
pub(super) struct Window {
    start: i64,
    previous: u64,
    current: u64,
    /// The time of the last request, charged or not.
    pub(super) last: i64,
}

impl Window {
    pub(super) fn new(now: i64) -> Self {
        Self { start: now, previous: 0, current: 0, last: now }
    }

    /// Moves to the window of that time. Concurrent requests may be a little out of order; a clock that was set back by more must not
    /// lock the network.
    pub(super) fn advance(&mut self, now: i64) {
        match now.saturating_sub(self.start).div_euclid(MINUTE) {
            0 | -1 => {}
            1 => *self = Self { start: self.start + MINUTE, previous: self.current, current: 0, ..*self },
            _ => *self = Self::new(now),
        }
        self.last = self.last.max(now);
    }

    fn elapsed(&self, now: i64) -> u64 {
        u64::try_from(now.saturating_sub(self.start)).unwrap_or(0).min(MINUTE.unsigned_abs())
    }

    pub(super) fn add(&mut self, cost: u64) {
        self.current = self.current.saturating_add(cost);
    }

    pub(super) fn used(&self, now: i64) -> u64 {
        let remaining = MINUTE.unsigned_abs() - self.elapsed(now);
        self.current.saturating_add(scale(self.previous, remaining, MINUTE.unsigned_abs()))
    }

    /// Microseconds until a cost fits below the limit; 0 if it does.
    pub(super) fn wait(&self, cost: u64, limit: u64, now: i64) -> u64 {
        if self.used(now).saturating_add(cost) <= limit {
            return 0;
        }
        let (minute, elapsed, room) = (MINUTE.unsigned_abs(), self.elapsed(now), limit.saturating_sub(cost));
        // The time in a window at which its previous one has decayed to the rest of the limit.
        let decayed = |previous: u64, rest: u64| minute - scale_down(rest, minute, previous).min(minute);
        match room.checked_sub(self.current) {
            Some(rest) => decayed(self.previous, rest).saturating_sub(elapsed),
            None => minute - elapsed + decayed(self.current, room),
        }
    }
}

/// `value * part / whole`, rounded up.
fn scale(value: u64, part: u64, whole: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(part)).div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

/// `value * part / whole`, rounded down.
fn scale_down(value: u64, part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(part) / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}

/// A limit on what may be used in a minute; 0 = none.
pub struct MinuteLimiter {
    limit: u64,
    window: Mutex<Option<Window>>,
}

impl MinuteLimiter {
    pub fn new(limit: u64) -> Self {
        Self { limit, window: Mutex::default() }
    }

    /// Charges a cost if there is room for it. A cost above the limit counts as the whole limit.
    pub fn charge(&self, cost: u64, now: Timestamp) -> Result<(), RateLimited> {
        let (cost, now) = (cost.min(self.limit), now.micros());
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window.get_or_insert_with(|| Window::new(now));
        window.advance(now);
        let wait = window.wait(cost, self.limit, now);
        if wait > 0 {
            return Err(RateLimited { budget: None, retry_after: wait.div_ceil(1_000_000) });
        }
        window.add(cost);
        Ok(())
    }
}
