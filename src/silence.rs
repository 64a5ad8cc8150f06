//! Whether anything is silently missing: an endpoint that was heard of and is not any more, or one whose requests are all refused.
//! What is usual for an endpoint is learned from its own pauses; there is nothing to configure.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

use crate::{store::Heard, time::Timestamp};

/// A pause is unusual if it is so many times as long as the longest of those that were seen.
const FACTOR: i64 = 3;

/// Shorter pauses are nothing, whatever was seen before.
const LEAST: i64 = 3_600;

/// With fewer requests than that nothing is usual yet, and only a long pause counts.
const FEW: usize = 10;
const LEAST_OF_FEW: i64 = 24 * 3_600;

/// Fewer refusals in an hour say nothing.
const NOTEWORTHY_REFUSALS: u64 = 10;

/// How an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::AsRefStr, strum::IntoStaticStr, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is heard of as usual.
    Ok,
    /// No authentic callback ever came.
    NeverHeard,
    /// None came for unusually long.
    Silent,
    /// What came in the last hour was refused, all of it.
    AllRejected,
    /// Nothing is verified.
    Unverified,
}

impl Condition {
    /// Whether somebody should look. An endpoint that was set up and never used is nobody's trouble.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::Silent | Self::AllRejected | Self::Unverified)
    }
}

/// Seconds without a callback after which an endpoint counts as silent.
pub fn patience(heard: Heard) -> i64 {
    let least = if heard.sample < FEW { LEAST_OF_FEW } else { LEAST };
    heard.longest_pause.saturating_mul(FACTOR).max(least)
}

/// How an endpoint does, by what was heard of it and by its last hour.
pub fn condition(heard: Heard, hour: Hour, is_unverified: bool, now: Timestamp) -> Condition {
    let is_silent = |last: Timestamp| now.seconds() - last.seconds() > patience(heard);
    match heard.last {
        _ if is_unverified => Condition::Unverified,
        _ if hour.genuine == 0 && hour.rejected >= NOTEWORTHY_REFUSALS => Condition::AllRejected,
        None => Condition::NeverHeard,
        Some(last) if is_silent(last) => Condition::Silent,
        Some(_) => Condition::Ok,
    }
}

/// Requests of an endpoint at this gateway in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Hour {
    /// Those that were authentic.
    pub genuine: u64,
    /// Those that were not.
    pub rejected: u64,
}

impl Hour {
    /// Which part of them was not authentic; none if there were none.
    pub fn share_rejected(self) -> Option<f64> {
        let all = self.genuine + self.rejected;
        #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
        (all > 0).then(|| self.rejected as f64 / all as f64)
    }
}

/// Minutes that are remembered.
const MINUTES: u64 = 60;

/// Counts an endpoint's requests minute by minute, for an hour.
#[derive(Debug)]
pub struct Recent {
    start: Instant,
    /// Minutes since the start, and what came in them; oldest first.
    minutes: Mutex<VecDeque<(u64, Hour)>>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { start: Instant::now(), minutes: Mutex::default() }
    }
}

impl Recent {
    /// Counts one request.
    pub fn count(&self, is_genuine: bool) {
        self.count_at(self.start.elapsed().as_secs() / 60, is_genuine);
    }

    /// The last hour.
    pub fn hour(&self) -> Hour {
        self.hour_at(self.start.elapsed().as_secs() / 60)
    }

    fn count_at(&self, minute: u64, is_genuine: bool) {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        while minutes.front().is_some_and(|(first, _)| first + MINUTES <= minute) {
            minutes.pop_front();
        }
        if minutes.back().is_none_or(|(last, _)| *last != minute) {
            minutes.push_back((minute, Hour::default()));
        }
        if let Some((_, hour)) = minutes.back_mut() {
            hour.genuine += u64::from(is_genuine);
            hour.rejected += u64::from(!is_genuine);
        }
    }

    fn hour_at(&self, minute: u64) -> Hour {
        let minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = minutes.iter().filter(|(one, _)| one + MINUTES > minute).map(|(_, hour)| hour);
        last.fold(Hour::default(), |sum, hour| Hour {
            genuine: sum.genuine + hour.genuine,
            rejected: sum.rejected + hour.rejected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    #[test]
    fn an_hour_is_forgotten_minute_by_minute() {
        let recent = Recent::default();
        recent.count_at(0, true);
        recent.count_at(30, false);
        assert_eq!(recent.hour_at(59), Hour { genuine: 1, rejected: 1 });
        assert_eq!(recent.hour_at(60), Hour { genuine: 0, rejected: 1 });
        recent.count_at(200, true);
        assert_eq!(recent.hour_at(200), Hour { genuine: 1, rejected: 0 });
        assert_eq!(recent.minutes.lock().expect("no panic").len(), 1, "what is past takes no room");
    }

    #[test]
    fn silence_is_what_is_unusual_for_the_endpoint() {
        let heard = |sample, longest_pause| Heard { last: Some(at(1_000_000)), sample, longest_pause };
        let condition = |heard, later: i64| condition(heard, Hour::default(), false, at(1_000_000 + later));
        assert_eq!(condition(heard(100, 60), 3_600), Condition::Ok);
        assert_eq!(condition(heard(100, 60), 3_601), Condition::Silent, "a busy one after an hour");
        assert_eq!(condition(heard(100, 36_000), 100_000), Condition::Ok, "one that sleeps at night");
        assert_eq!(condition(heard(100, 36_000), 108_001), Condition::Silent);
        assert_eq!(condition(heard(2, 60), 80_000), Condition::Ok, "nothing is usual yet");
        assert_eq!(condition(Heard::default(), 0), Condition::NeverHeard);
    }

    #[test]
    fn a_wrong_secret_shows_as_nothing_but_refusals() {
        let heard = Heard { last: Some(at(0)), sample: 100, longest_pause: 60 };
        let of = |genuine, rejected| condition(heard, Hour { genuine, rejected }, false, at(10));
        assert_eq!(of(0, 10), Condition::AllRejected);
        assert_eq!(of(1, 1_000), Condition::Ok, "strangers who try are no trouble");
        assert_eq!(of(0, 9), Condition::Ok);
        assert_eq!(Hour { genuine: 1, rejected: 3 }.share_rejected(), Some(0.75));
        assert_eq!(Hour::default().share_rejected(), None);
    }
}
