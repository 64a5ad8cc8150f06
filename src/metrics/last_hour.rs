//! The requests of an endpoint in the last hour, counted by minute.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use serde::Serialize;

/// Requests of an endpoint at this gateway in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Hour {
    /// Verified requests.
    #[serde(rename = "genuine")]
    pub verified: u64,
    /// Rejected requests.
    pub rejected: u64,
}

impl Hour {
    /// The share that was rejected; `None` without requests.
    pub fn share_rejected(self) -> Option<f64> {
        let all = self.verified + self.rejected;
        #[expect(clippy::cast_precision_loss, reason = "a share, to be displayed")]
        (all > 0).then(|| self.rejected as f64 / all as f64)
    }
}

const MINUTES: u8 = 60;

/// Counts an endpoint's requests by minute, for an hour, without a lock.
#[derive(Debug)]
pub(super) struct RollingHour {
    start: Instant,
    verified: Ring,
    rejected: Ring,
}

/// A counter for each of the last minutes.
type Ring = [MinuteCount; MINUTES as usize];

/// The count of one minute: the minute since the start in the upper half of the bits, the count in the lower, so that a new minute
/// replaces an old one atomically.
#[derive(Debug, Default)]
struct MinuteCount(AtomicU64);

impl MinuteCount {
    fn count(&self, minute: u64) {
        let next = |packed: u64| if packed >> 32 == minute { packed + 1 } else { minute << 32 | 1 };
        self.0.update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// The count, if its minute is within the hour that ends with `minute`.
    fn within_hour(&self, minute: u64) -> u64 {
        let packed = self.0.load(Ordering::Relaxed);
        if (packed >> 32) + u64::from(MINUTES) > minute { packed & u64::from(u32::MAX) } else { 0 }
    }
}

impl Default for RollingHour {
    fn default() -> Self {
        let ring = || std::array::from_fn(|_| MinuteCount::default());
        Self { start: Instant::now(), verified: ring(), rejected: ring() }
    }
}

impl RollingHour {
    /// Counts one request.
    pub(super) fn count(&self, is_verified: bool) {
        self.count_at(self.start.elapsed().as_secs() / 60, is_verified);
    }

    /// The sums of the last hour.
    pub(super) fn sum(&self) -> Hour {
        self.sum_at(self.start.elapsed().as_secs() / 60)
    }

    fn count_at(&self, minute: u64, is_verified: bool) {
        let ring = if is_verified { &self.verified } else { &self.rejected };
        let place = usize::try_from(minute % u64::from(MINUTES)).unwrap_or_default();
        if let Some(count) = ring.get(place) {
            count.count(minute);
        }
    }

    fn sum_at(&self, minute: u64) -> Hour {
        let sum = |ring: &Ring| ring.iter().map(|count| count.within_hour(minute)).sum();
        Hour { verified: sum(&self.verified), rejected: sum(&self.rejected) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_leave_the_window_one_by_one() {
        let recent = RollingHour::default();
        recent.count_at(0, true);
        recent.count_at(30, false);
        assert_eq!(recent.sum_at(59), Hour { verified: 1, rejected: 1 });
        assert_eq!(recent.sum_at(60), Hour { verified: 0, rejected: 1 });
        recent.count_at(200, true);
        assert_eq!(recent.sum_at(200), Hour { verified: 1, rejected: 0 });
        recent.count_at(260, true);
        assert_eq!(recent.sum_at(260), Hour { verified: 1, rejected: 0 }, "a new minute replaces the one an hour before");
    }

    #[test]
    fn share_rejected_is_of_all_requests() {
        assert_eq!(Hour { verified: 1, rejected: 3 }.share_rejected(), Some(0.75));
        assert_eq!(Hour::default().share_rejected(), None);
    }
}
