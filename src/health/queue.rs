//! The queue in front of the database: its state, and the requests that the tables lack.

use serde::Serialize;

use crate::{
    gateway::Gateway,
    metrics::QueueFigures,
    queue::{QueueKind, QueueState},
    time::Timestamp,
};

/// Lag from which health is degraded, in seconds. A queue that every callback goes through is normally drained within a second.
const LAG: u64 = 30;

/// The queue in front of the database.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct QueueHealth {
    #[serde(skip)]
    pub kind: QueueKind,
    /// `spool` or `broker`.
    #[serde(rename = "kind")]
    pub name: &'static str,
    /// `outage` or `always` with a spool.
    pub mode: Option<&'static str>,
    /// Acknowledged requests that are not in the tables yet.
    pub pending: u64,
    /// The time of receipt of the oldest of them.
    pub oldest: Option<Timestamp>,
    /// Its age.
    pub lag_seconds: u64,
    /// The size of the queue.
    pub bytes: u64,
    /// The limit on it; 0 if it is unknown.
    pub max_bytes: u64,
    /// True while it accepts no request, because it is full or unavailable.
    pub is_failing: bool,
    /// Files of the spool that hold acknowledged requests and cannot be read.
    pub unreadable_files: u64,
    /// Messages of the broker that no writer of this version can store. They are not among the pending requests.
    pub dead_messages: u64,
    /// True while the database is known to be unavailable.
    pub is_database_away: bool,
}

impl QueueHealth {
    /// True if a callback that arrives now can be stored in the queue.
    pub fn accepts(&self) -> bool {
        !self.is_failing
    }

    /// The result of the check of the queue: `ok`, `warn` or `fail`.
    pub(super) fn check(&self, is_database_healthy: bool) -> &'static str {
        let (is_needed, is_behind) = if self.kind.is_fallback() {
            (!is_database_healthy, self.is_database_away || self.pending > 0)
        } else {
            (true, self.lag_seconds > LAG)
        };
        match (self.is_failing, is_needed) {
            (true, true) => "fail",
            (true, false) => "warn",
            (false, _) if is_behind || self.unreadable_files > 0 || self.dead_messages > 0 => "warn",
            (false, _) => "ok",
        }
    }

    fn figures(&self) -> QueueFigures {
        QueueFigures {
            pending: self.pending,
            oldest_seconds: self.lag_seconds,
            bytes: self.bytes,
            max_bytes: self.max_bytes,
            is_failing: self.is_failing,
            unreadable_files: self.unreadable_files,
            dead_messages: self.dead_messages,
            is_database_away: self.is_database_away,
        }
    }
}

impl Gateway {
    /// The queue in front of the database, if there is one. Does not block.
    pub fn queue(&self) -> Option<QueueHealth> {
        let QueueState { pending, oldest, bytes, max_bytes, is_failing, unreadable_files, dead_messages } =
            self.intake.queue()?.state();
        let kind = self.queue_kind?;
        let age = |oldest: Timestamp| self.clock.now().seconds().saturating_sub(oldest.seconds());
        Some(QueueHealth {
            kind,
            name: kind.name(),
            mode: kind.mode(),
            pending,
            oldest: oldest.filter(|_| pending > 0),
            lag_seconds: oldest.filter(|_| pending > 0).map_or(0, |oldest| u64::try_from(age(oldest)).unwrap_or(0)),
            bytes,
            max_bytes,
            is_failing,
            unreadable_files,
            dead_messages,
            is_database_away: self.intake.is_database_away(),
        })
    }

    pub(crate) fn queue_figures(&self) -> QueueFigures {
        self.queue().map(|queue| queue.figures()).unwrap_or_default()
    }
}

#[cfg(test)]
impl QueueHealth {
    /// A broker that holds nothing.
    pub(crate) const EMPTY: Self = Self {
        kind: QueueKind::Broker,
        name: "broker",
        mode: None,
        pending: 0,
        oldest: None,
        lag_seconds: 0,
        bytes: 0,
        max_bytes: 0,
        is_failing: false,
        unreadable_files: 0,
        dead_messages: 0,
        is_database_away: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::SpoolMode;

    /// Failing, database away, pending, lag, database healthy.
    type State = (bool, bool, u64, u64, bool);

    const IDLE: State = (false, false, 0, 0, true);
    const AWAY: State = (false, true, 9, 60, false);
    const DRAINING: State = (false, false, 9, 60, true);
    const BUSY: State = (false, false, 9, 1, true);
    const FULL: State = (true, false, 9, 60, true);
    const FULL_AND_AWAY: State = (true, true, 9, 60, false);

    #[test]
    fn what_nothing_reads_degrades_health() {
        assert_eq!(QueueHealth::EMPTY.check(true), "ok");
        assert_eq!(QueueHealth { unreadable_files: 1, ..QueueHealth::EMPTY }.check(true), "warn");
        assert_eq!(QueueHealth { dead_messages: 1, ..QueueHealth::EMPTY }.check(true), "warn");
    }

    #[test]
    fn queue_fails_only_if_nothing_takes_callbacks() {
        let [outage, always] = [SpoolMode::Outage, SpoolMode::Always].map(QueueKind::Spool);
        for (kind, state, expected) in [
            (outage, IDLE, "ok"),
            (outage, AWAY, "warn"),
            (outage, DRAINING, "warn"),
            (outage, BUSY, "warn"),
            (outage, FULL, "warn"),
            (outage, FULL_AND_AWAY, "fail"),
            (always, IDLE, "ok"),
            (always, AWAY, "warn"),
            (always, DRAINING, "warn"),
            (always, BUSY, "ok"),
            (always, FULL, "fail"),
            (always, FULL_AND_AWAY, "fail"),
        ] {
            let (is_failing, is_database_away, pending, lag_seconds, is_database_healthy) = state;
            let queue = QueueHealth { kind, pending, lag_seconds, is_failing, is_database_away, ..QueueHealth::EMPTY };
            assert_eq!(queue.check(is_database_healthy), expected, "{kind:?} {state:?}");
        }
    }
}
