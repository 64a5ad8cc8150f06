//! Instants in whole microseconds, and the only place that reads the wall clock.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, SecondsFormat, TimeZone, Utc};

/// The longest text that is parsed; anything longer is not a date (RUSTSEC-2026-0009 was a stack overflow).
const MAX_TEXT: usize = 64;

/// An instant in UTC, in whole microseconds, between the years 1970 and 9999.
///
/// Whole microseconds because Postgres stores no more, and the same event must give the same row on both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-03-14T15:30:00Z")]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The last instant. One that a provider reports beyond it, such as milliseconds written where seconds belong, counts as this one.
    pub const MAX: Self = Self(DateTime::from_timestamp_micros(253_402_300_799_999_999).expect("the end of the year 9999"));

    /// The instant that many microseconds after 1970-01-01T00:00:00Z; `None` outside the years 1970 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        Utc.timestamp_micros(micros).single().and_then(Self::checked)
    }

    /// The instant that many seconds after 1970-01-01T00:00:00Z; `None` outside the years 1970 to 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::from_micros(seconds.checked_mul(1_000_000)?)
    }

    /// The instant of a decimal number of seconds without exponent, truncated to microseconds; [`Timestamp::MAX`] if it is later.
    pub fn from_decimal_seconds(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let micros = format!("{whole}{}", format!("{fraction:0<6}").get(..6)?);
        Some(micros.parse().ok().and_then(Self::from_micros).unwrap_or(Self::MAX))
    }

    /// Parses ISO 8601 as providers write it: `T` or a blank, 0 to 9 fraction digits, `Z`, `+00` or `+00:00`; or RFC 2822. An instant after
    /// the year 9999 is [`Timestamp::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let parsed: DateTime<FixedOffset> = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
            .or_else(|_| DateTime::parse_from_rfc2822(text))
            .ok()?;
        Self::from_micros(parsed.timestamp_micros()).or((parsed.to_utc().year() > 9999).then_some(Self::MAX))
    }

    /// The instant as that of an event that was reported when it was received. One more than a day in the future is that of the receipt, so
    /// that a wrong clock cannot supersede every later event; one before the year 2000, such as an unset zero, is none if the receipt is
    /// after it.
    pub fn plausible(self, received_at: Self) -> Option<Self> {
        const DAY: i64 = 24 * 3600 * 1_000_000;
        const YEAR_2000: i64 = 946_684_800_000_000;
        match self.micros() {
            past if past < YEAR_2000 && received_at.micros() >= YEAR_2000 => None,
            future if future.saturating_sub(received_at.micros()) > DAY => Some(received_at),
            _ => Some(self),
        }
    }

    /// Parses a time as an operator types it: as above, without a zone in UTC, a date, or a duration such as `90m`, `24h`, `7d` or `2w` for
    /// the time that long ago.
    pub fn parse_or_ago(text: &str, now: Self) -> Option<Self> {
        let text = text.trim();
        let ago = || {
            let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                "d" => 86_400,
                "w" => 7 * 86_400,
                _ => return None,
            };
            let count: i64 = count.parse().ok().filter(|_| count.bytes().all(|byte| byte.is_ascii_digit()))?;
            Self::from_micros(now.micros().checked_sub(count.checked_mul(seconds)?.checked_mul(1_000_000)?)?)
        };
        let unzoned = |text: &str| Self::parse(&format!("{text}Z"));
        let minutes = || unzoned(&format!("{text}:00"));
        let date = || unzoned(&format!("{text}T00:00:00"));
        Self::parse(text).or_else(ago).or_else(|| unzoned(text)).or_else(minutes).or_else(date)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The form both databases store: UTC without a zone.
    pub fn naive(self) -> NaiveDateTime {
        self.0.naive_utc()
    }

    /// The instant a database returned.
    pub fn from_naive(naive: NaiveDateTime) -> Self {
        Self(naive.and_utc())
    }

    fn checked(instant: DateTime<Utc>) -> Option<Self> {
        (1970..=9999).contains(&instant.year()).then_some(Self(instant))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The source of the current time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that is set by hand: recorded signatures stay fresh, and deadlines pass without waiting.
    Manual(ManualClock),
}

impl Clock {
    /// The current instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
                let now = Utc::now();
                // A machine whose clock is outside 1970 to 9999 gets the epoch: every time window then fails closed.
                Timestamp::from_micros(now.timestamp_micros()).unwrap_or(Timestamp(DateTime::UNIX_EPOCH))
            }
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// A clock that stays at one instant until it is set to another. All clones show the same instant.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Option<Timestamp>>>);

impl ManualClock {
    /// A clock that shows that instant.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Some(now))))
    }

    /// Sets it, forward or back.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Makes it follow the machine's wall clock until it is set again.
    pub fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn now(&self) -> Timestamp {
        let set = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.unwrap_or_else(|| Clock::System.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_provider_formats_name_the_same_instant() {
        let expected = Timestamp::from_micros(1_696_636_076_678_000);
        for text in ["2023-10-06T23:47:56.678Z", "2023-10-06 23:47:56.678+00", "2023-10-06T23:47:56.678000+00:00"] {
            assert_eq!(Timestamp::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn invalid_instants_are_none() {
        for text in ["", "yesterday", "2023-10-06", "0000-01-01T00:00:00Z", &"(".repeat(60_000)] {
            assert_eq!(Timestamp::parse(text), None);
        }
        assert_eq!(Timestamp::from_seconds(i64::MAX), None);
    }

    #[test]
    fn instants_after_the_last_one_are_the_last_one() {
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59.999999Z"), Some(Timestamp::MAX));
        for text in ["+12023-01-01T00:00:00Z", "+056132-09-04T05:20:00.000Z", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp::MAX), "{text}");
        }
        for text in ["253402300800", "1773502029123", "1773502029123456.5", "99999999999999999999"] {
            assert_eq!(Timestamp::from_decimal_seconds(text), Some(Timestamp::MAX), "{text}");
        }
    }

    #[test]
    fn decimal_seconds_are_exact() {
        for (text, micros) in [("1773502029", 0), ("1773502029.25", 250_000), ("1773502029.5623918", 562_391)] {
            assert_eq!(Timestamp::from_decimal_seconds(text), Timestamp::from_micros(1_773_502_029_000_000 + micros), "{text}");
        }
        for text in ["", ".5", "-1", "1.2.3", "today", "1e9"] {
            assert_eq!(Timestamp::from_decimal_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn implausible_event_times_are_those_of_the_receipt_or_none() {
        let at = |text: &str| Timestamp::parse(text).expect("an instant");
        let receipt = at("2026-03-14T15:27:09Z");
        for (reported, plausible) in [
            ("2026-03-14T15:27:08Z", Some("2026-03-14T15:27:08Z")),
            ("2026-03-15T15:27:09Z", Some("2026-03-15T15:27:09Z")),
            ("2026-03-15T15:27:09.000001Z", Some("2026-03-14T15:27:09Z")),
            ("9999-12-31T23:59:59.999999Z", Some("2026-03-14T15:27:09Z")),
            ("2000-01-01T00:00:00Z", Some("2000-01-01T00:00:00Z")),
            ("1999-12-31T23:59:59Z", None),
            ("1970-01-01T00:00:00Z", None),
        ] {
            assert_eq!(at(reported).plausible(receipt), plausible.map(at), "{reported}");
        }
    }

    #[test]
    fn typed_times_are_absolute_or_relative() {
        let now = Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant");
        for (text, expected) in [
            ("2026-03-14T15:30:00+01:00", "2026-03-14T14:30:00Z"),
            ("2026-03-14T15:30:01.5", "2026-03-14T15:30:01.500Z"),
            ("2026-03-14T15:30", "2026-03-14T15:30:00Z"),
            ("2026-03-14", "2026-03-14T00:00:00Z"),
            (" 24h ", "2026-03-13T15:30:00Z"),
            ("90m", "2026-03-14T14:00:00Z"),
            ("7d", "2026-03-07T15:30:00Z"),
            ("2w", "2026-02-28T15:30:00Z"),
            ("0s", "2026-03-14T15:30:00Z"),
        ] {
            assert_eq!(Timestamp::parse_or_ago(text, now), Timestamp::parse(expected), "{text}");
        }
        for text in ["", "h", "-1h", "+1h", "1 h", "1y", "24", "yesterday", "99999999999999999999d", "9999999999d", "é"] {
            assert_eq!(Timestamp::parse_or_ago(text, now), None, "{text}");
        }
    }

    #[test]
    fn manual_clock_shows_what_it_was_last_set_to() {
        let at = |seconds| Timestamp::from_seconds(seconds).expect("an instant");
        let manual = ManualClock::new(at(1_000));
        let clock = Clock::Manual(manual.clone());
        assert_eq!(clock.now(), at(1_000));
        for seconds in [2_000, 500] {
            manual.set(at(seconds));
            assert_eq!(clock.now(), at(seconds));
        }
        manual.release();
        assert!(clock.now() > at(2_000), "the machine's time");
    }
}
