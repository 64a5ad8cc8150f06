//! The period that the overview shows, and its division into bars.

use chrono::TimeDelta;
use strum::{AsRefStr, EnumMessage, EnumString, VariantArray};

use crate::{
    store::{Bucket, StatsFilter},
    time::Timestamp,
};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The most bars.
const MAX_BARS: usize = 48;

/// A period that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AsRefStr, EnumString, EnumMessage, VariantArray)]
pub(super) enum Choice {
    #[strum(serialize = "1h", message = "Last hour")]
    Hour,
    #[default]
    #[strum(serialize = "24h", message = "Last 24 hours")]
    Day,
    #[strum(serialize = "7d", message = "Last 7 days")]
    Week,
    #[strum(serialize = "30d", message = "Last 30 days")]
    Month,
}

/// A period in whole buckets of the store: its start is rounded down to one.
#[derive(Clone, Debug)]
pub(super) struct Period {
    /// `None` for a range of time that is given.
    pub(super) choice: Option<Choice>,
    pub(super) filter: StatsFilter,
    /// The start of each bucket.
    pub(super) starts: Vec<Timestamp>,
}

impl Period {
    pub(super) fn last(choice: Choice, now: Timestamp) -> Option<Self> {
        let (length, bucket) = match choice {
            Choice::Hour => (59 * MINUTE, Bucket::Minute),
            Choice::Day => (23 * HOUR, Bucket::Hour),
            Choice::Week => (7 * DAY - HOUR, Bucket::Hour),
            Choice::Month => (29 * DAY, Bucket::Day),
        };
        let since = Timestamp::from_seconds(now.seconds() - length)?;
        // Exclusive, so that the current instant is included.
        Self::new(Some(choice), since, Timestamp::from_micros(now.micros() + 1)?, bucket)
    }

    /// The given range; `None` if it is empty or too long.
    pub(super) fn range(since: Option<Timestamp>, until: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let until = until.map_or_else(|| Timestamp::from_micros(now.micros() + 1), Some)?;
        let since = since.map_or_else(|| Timestamp::from_seconds(until.seconds() - DAY), Some)?;
        if since >= until {
            return None;
        }
        let bucket = match until.seconds() - since.seconds() {
            ..=10_800 => Bucket::Minute,
            10_801..=1_209_600 => Bucket::Hour,
            _ => Bucket::Day,
        };
        Self::new(None, since, until, bucket)
    }

    fn new(choice: Option<Choice>, since: Timestamp, until: Timestamp, bucket: Bucket) -> Option<Self> {
        let filter = StatsFilter { since, until, bucket, service_type: None };
        let starts = filter.starts()?;
        let since = starts.first().copied()?;
        Some(Self { choice, filter: StatsFilter { since, ..filter }, starts })
    }

    /// The end of the period; `None` if it is now.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.choice.is_none().then_some(self.filter.until)
    }

    /// Number of the store's buckets in one bar.
    pub(super) fn buckets_per_bar(&self) -> usize {
        self.starts.len().div_ceil(MAX_BARS).max(1)
    }

    fn end_of_bar(&self, start: Timestamp) -> Timestamp {
        let buckets = i32::try_from(self.buckets_per_bar()).unwrap_or(1);
        let length: TimeDelta = self.filter.bucket.length() * buckets;
        Timestamp::from_seconds(start.seconds() + length.num_seconds()).unwrap_or(start)
    }

    /// Time span of a bar, as text.
    pub(super) fn span(&self, start: Timestamp) -> String {
        let end = self.end_of_bar(start);
        match self.filter.bucket {
            Bucket::Minute | Bucket::Hour => {
                format!("{}–{} UTC", start.naive().format("%a %-d %b %H:%M"), end.naive().format("%H:%M"))
            }
            Bucket::Day if self.buckets_per_bar() == 1 => start.naive().format("%a %-d %b").to_string(),
            Bucket::Day => {
                let last = Timestamp::from_seconds(end.seconds() - DAY).unwrap_or(start);
                format!("{}–{}", start.naive().format("%-d %b"), last.naive().format("%-d %b"))
            }
        }
    }

    /// Label of a bar on the axis.
    pub(super) fn tick(&self, start: Timestamp) -> String {
        let length = self.filter.until.seconds() - self.filter.since.seconds();
        let format = match length {
            ..=DAY => "%H:%M",
            86_401..=604_800 => "%a %H:%M",
            _ => "%-d %b",
        };
        start.naive().format(format).to_string()
    }

    /// The period in words.
    pub(super) fn label(&self) -> String {
        match self.choice {
            Some(choice) => choice.get_message().unwrap_or_default().to_lowercase(),
            None => "in this range".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    #[test]
    fn periods_have_at_most_48_bars_from_a_whole_bucket() {
        let now = at("2026-03-14T15:30:20.5Z");
        let starts = |choice| Period::last(choice, now).map(|period| (period.starts.len(), period.buckets_per_bar()));
        assert_eq!(
            Choice::VARIANTS.iter().map(|choice| starts(*choice)).collect::<Vec<_>>(),
            [Some((60, 2)), Some((24, 1)), Some((168, 4)), Some((30, 1))]
        );
        for (since, until, bars, span) in [
            ("2026-03-14T10:00:30Z", "2026-03-14T12:00:00Z", 40, "Sat 14 Mar 10:00–10:03 UTC"),
            ("2026-03-12T10:20:00Z", "2026-03-14T10:00:00Z", 48, "Thu 12 Mar 10:00–11:00 UTC"),
            ("2026-01-01T10:20:00Z", "2026-01-20T10:00:00Z", 20, "Thu 1 Jan"),
            ("2025-03-14T00:00:00Z", "2026-03-14T00:00:00Z", 46, "14 Mar–21 Mar"),
        ] {
            let period = Period::range(Some(at(since)), Some(at(until)), now).expect("a period");
            assert_eq!(period.starts.chunks(period.buckets_per_bar()).count(), bars, "{since}");
            assert_eq!(period.span(period.filter.since), span);
        }
        assert!(Period::range(Some(now), Some(now), now).is_none());
        assert!(Period::range(Some(at("2000-01-01T00:00:00Z")), None, now).is_none());
    }
}
