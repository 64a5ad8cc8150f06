//! The status of an endpoint: silent for unusually long, or with all its requests rejected. The usual pause of an endpoint is
//! learned from its own requests; there is nothing to configure.

use serde::Serialize;

use crate::{metrics::Hour, store::EndpointActivity, time::Timestamp};

/// A pause is unusual if it is this many times the longest one before.
const SILENCE_FACTOR: i64 = 3;

/// Shorter pauses are never unusual, in seconds.
const MIN_SILENCE: i64 = 3_600;

/// With fewer requests than this the usual pause is not known yet, and a longer minimum applies.
const MIN_SAMPLE: usize = 10;
const MIN_SILENCE_UNKNOWN: i64 = 24 * 3_600;

/// Fewer rejections in an hour are not significant.
const MIN_REJECTIONS: u64 = 10;

/// Condition of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::AsRefStr, strum::IntoStaticStr, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It receives callbacks as usual.
    Ok,
    /// It has never received a verified callback.
    NeverHeard,
    /// It has received nothing for unusually long.
    Silent,
    /// All its requests of the last hour were rejected.
    AllRejected,
    /// Verification is off.
    Unverified,
}

impl EndpointStatus {
    /// True if the endpoint degrades health, which anyone can read. Anyone can also send forgeries, so these do not suffice: its provider
    /// must be missing as well, for longer than the longest pause before. An endpoint that was never used needs no action.
    pub fn degrades_health(self, activity: EndpointActivity, now: Timestamp) -> bool {
        let usual = activity.longest_gap.max(MIN_SILENCE);
        let is_missing = |last: Timestamp| now.seconds() - last.seconds() > usual;
        match self {
            Self::Silent => true,
            Self::AllRejected => activity.sample >= MIN_SAMPLE && activity.last.is_some_and(is_missing),
            Self::Ok | Self::NeverHeard | Self::Unverified => false,
        }
    }
}

/// Seconds without a callback after which an endpoint counts as silent.
pub fn silence_threshold(activity: EndpointActivity) -> i64 {
    let min = if activity.sample < MIN_SAMPLE { MIN_SILENCE_UNKNOWN } else { MIN_SILENCE };
    activity.longest_gap.saturating_mul(SILENCE_FACTOR).max(min)
}

/// The status of an endpoint, from its activity and its last hour.
pub fn status(activity: EndpointActivity, hour: Hour, is_unverified: bool, now: Timestamp) -> EndpointStatus {
    let is_silent = |last: Timestamp| now.seconds() - last.seconds() > silence_threshold(activity);
    match activity.last {
        _ if is_unverified => EndpointStatus::Unverified,
        _ if hour.verified == 0 && hour.rejected >= MIN_REJECTIONS => EndpointStatus::AllRejected,
        None => EndpointStatus::NeverHeard,
        Some(last) if is_silent(last) => EndpointStatus::Silent,
        Some(_) => EndpointStatus::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    #[test]
    fn silence_threshold_is_learned_from_the_endpoint() {
        let activity = |sample, longest_gap| EndpointActivity { last: Some(at(1_000_000)), sample, longest_gap };
        let status_after = |activity, later: i64| status(activity, Hour::default(), false, at(1_000_000 + later));
        assert_eq!(status_after(activity(100, 60), 3_600), EndpointStatus::Ok);
        assert_eq!(status_after(activity(100, 60), 3_601), EndpointStatus::Silent, "a busy one after an hour");
        assert_eq!(status_after(activity(100, 36_000), 100_000), EndpointStatus::Ok, "one that sleeps at night");
        assert_eq!(status_after(activity(100, 36_000), 108_001), EndpointStatus::Silent);
        assert_eq!(status_after(activity(2, 60), 80_000), EndpointStatus::Ok, "too few to know what is usual");
        assert_eq!(status_after(EndpointActivity::default(), 0), EndpointStatus::NeverHeard);
    }

    #[test]
    fn rejections_alone_are_reported() {
        let activity = EndpointActivity { last: Some(at(0)), sample: 100, longest_gap: 60 };
        let status = |verified, rejected| status(activity, Hour { verified, rejected }, false, at(10));
        assert_eq!(status(0, 10), EndpointStatus::AllRejected);
        assert_eq!(status(1, 1_000), EndpointStatus::Ok, "forgeries beside verified callbacks");
        assert_eq!(status(0, 9), EndpointStatus::Ok);
    }

    #[test]
    fn forgeries_degrade_health_only_if_the_provider_is_missing() {
        let activity = |sample| EndpointActivity { last: Some(at(0)), sample, longest_gap: 7_200 };
        let degrades = |sample, now| EndpointStatus::AllRejected.degrades_health(activity(sample), at(now));
        assert!(!degrades(100, 7_200), "forgeries in a quiet hour");
        assert!(degrades(100, 7_201), "a rotated secret, long before the endpoint counts as silent");
        assert!(!degrades(9, 100_000), "its usual pauses are not known");
        assert!(!EndpointStatus::AllRejected.degrades_health(EndpointActivity::default(), at(0)), "it was never used");
    }
}
