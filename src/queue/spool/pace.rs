//! The pace of draining. In a burst the work of draining would take the processors from callbacks, so it waits until fewer callbacks
//! arrive, but not for long: then both share the processors until the spool is drained.

use std::time::{Duration, Instant};

/// Longest time for which a burst delays draining.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Callbacks arrive in a burst if draining them as fast would take more than this share of a processor.
const SHARE: f64 = 0.5;

/// The interval in which arrivals are counted.
const INTERVAL: Duration = Duration::from_millis(50);

/// The time that draining takes for each request, until it has been measured.
const USUAL_COST: Duration = Duration::from_micros(40);

/// The cost is measured in batches from this size: in a small one, most of the time is that of the commit.
const MEASURED: u32 = 500;

/// The weight of the last batch in the measured cost.
const WEIGHT: f64 = 0.25;

pub(super) struct Pace {
    /// Seconds for each request.
    cost: f64,
    /// Requests that had arrived at a time, and those that arrived in a second since.
    counted: (u64, Instant),
    per_second: f64,
    /// The time since which there is something to drain.
    waiting_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { cost: USUAL_COST.as_secs_f64(), counted: (0, now), per_second: 0.0, waiting_since: None }
    }

    /// Records that a batch was drained.
    pub(super) fn drained(&mut self, requests: usize, took: Duration) {
        let Ok(requests @ MEASURED..) = u32::try_from(requests) else { return };
        self.cost += (took.as_secs_f64() / f64::from(requests) - self.cost) * WEIGHT;
    }

    /// Returns true if draining is to wait. `arrived` counts all requests that arrived so far, `pending` those that are not drained.
    pub(super) fn is_burst(&mut self, arrived: u64, pending: u64, now: Instant) -> bool {
        let (before, at) = self.counted;
        let interval = now.saturating_duration_since(at);
        if interval >= INTERVAL {
            let more = u32::try_from(arrived.saturating_sub(before)).unwrap_or(u32::MAX);
            self.per_second = f64::from(more) / interval.as_secs_f64();
            self.counted = (arrived, now);
        }
        if pending == 0 {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        self.per_second * self.cost > SHARE && now.saturating_duration_since(since) < MAX_DELAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_delays_draining_for_a_limited_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(start);
        // 4,000 a second take 16 % of a processor.
        assert!((1..20_u32).all(|n| !pace.is_burst(u64::from(n) * 400, 400, at(u64::from(n) * 100))));
        let mut pace = Pace::new(start);
        let burst: Vec<bool> = (1..80_u32).map(|n| pace.is_burst(u64::from(n) * 3_000, 3_000, at(u64::from(n) * 100))).collect();
        assert!(burst.iter().take(49).all(|is_burst| *is_burst) && burst.iter().skip(51).all(|is_burst| !is_burst));
        // Once it is drained, the next burst may delay it again.
        assert!(!pace.is_burst(240_000, 0, at(8_000)));
        assert!(pace.is_burst(243_000, 3_000, at(8_100)));
        assert!(!pace.is_burst(243_001, 3_001, at(8_200)), "the burst is over");
        // Draining that costs more makes fewer callbacks a burst.
        (0..20).for_each(|_| pace.drained(1_000, Duration::from_millis(200)));
        assert!(pace.is_burst(243_401, 3_401, at(8_300)));
    }
}
