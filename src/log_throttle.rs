//! Log lines that are written at most once a minute, however often their cause occurs.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Seconds between two lines.
const INTERVAL: u64 = 60;

/// Counts occurrences for a log line. The next line is due at the first occurrence after the interval.
#[derive(Debug)]
pub struct LogThrottle {
    start: Instant,
    /// The first second since the start at which a line is due.
    due: AtomicU64,
    /// Occurrences since the last line.
    count: AtomicU64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self { start: Instant::now(), due: AtomicU64::new(0), count: AtomicU64::new(0) }
    }
}

impl LogThrottle {
    /// Counts one occurrence. When a line is due: the count since the last one.
    pub fn count(&self) -> Option<u64> {
        self.count_at(self.start.elapsed().as_secs())
    }

    fn count_at(&self, second: u64) -> Option<u64> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let due = self.due.load(Ordering::Relaxed);
        // One of two concurrent threads writes the line.
        let is_due =
            second >= due && self.due.compare_exchange(due, second + INTERVAL, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        is_due.then(|| self.count.swap(0, Ordering::Relaxed))
    }
}

/// A throttle for each kind of line. The first line of a kind is written at once.
#[derive(Debug, Default)]
pub struct LogThrottles(Mutex<HashMap<&'static str, LogThrottle>>);

impl LogThrottles {
    /// Counts one occurrence of a kind. When its line is due: the count since the last one.
    pub fn count(&self, kind: &'static str) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_due_once_a_minute_with_the_count_since_the_last() {
        let throttle = LogThrottle::default();
        assert_eq!(throttle.count_at(0), Some(1));
        assert_eq!([throttle.count_at(1), throttle.count_at(59)], [None, None]);
        assert_eq!(throttle.count_at(60), Some(3));
        assert_eq!(throttle.count_at(119), None);
        assert_eq!(throttle.count_at(1_000), Some(2));
    }

    #[test]
    fn first_line_of_each_kind_is_due_at_once() {
        let throttles = LogThrottles::default();
        assert_eq!(["a", "b", "a", "b"].map(|kind| throttles.count(kind)), [Some(1), Some(1), None, None]);
    }
}
