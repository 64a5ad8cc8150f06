//! The period that the overview shows, and its division into bars.

use strum::{AsRefStr, EnumMessage, EnumString, VariantArray};

use crate::{
    store::{Bucket, StatsFilter},
    time::Timestamp,
};

const HOUR: i64 = 3_600;

/// A period that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AsRefStr, EnumString, EnumMessage, VariantArray)]
pub(super) enum Period {
    #[default]
    #[strum(serialize = "24h", message = "Last 24 hours")]
    Day,
    #[strum(serialize = "7d", message = "Last 7 days")]
    Week,
    #[strum(serialize = "30d", message = "Last 30 days")]
    Month,
}

impl Period {
    pub(super) fn filter(self, now: Timestamp) -> StatsFilter {
        let (hours, bucket) = match self {
            Self::Day => (23, Bucket::Hour),
            Self::Week => (7 * 24 - 1, Bucket::Hour),
            Self::Month => (29 * 24, Bucket::Day),
        };
        let since = Timestamp::from_seconds(now.seconds() - hours * HOUR).unwrap_or(now);
        // Exclusive, so that the current instant is included.
        let until = Timestamp::from_micros(now.micros() + 1).unwrap_or(now);
        StatsFilter { since, until, bucket, service_type: None }
    }

    /// Number of the store's buckets in one bar.
    pub(super) fn buckets_per_bar(self) -> usize {
        if self == Self::Week { 4 } else { 1 }
    }

    /// Time span of a bar, as text.
    pub(super) fn span(self, start: Timestamp) -> String {
        let hours = |count: i64| {
            let end = Timestamp::from_seconds(start.seconds() + count * HOUR).unwrap_or(start);
            format!("{}–{} UTC", start.naive().format("%a %H:%M"), end.naive().format("%H:%M"))
        };
        match self {
            Self::Day => hours(1),
            Self::Week => hours(4),
            Self::Month => start.naive().format("%a %-d %b").to_string(),
        }
    }

    /// Label of a bar on the axis.
    pub(super) fn tick(self, start: Timestamp) -> String {
        let format = match self {
            Self::Day => "%H:%M",
            Self::Week => "%a %H:%M",
            Self::Month => "%-d %b",
        };
        start.naive().format(format).to_string()
    }
}
