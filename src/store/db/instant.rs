//! The database representation of [`Timestamp`]. SQLite stores text such as `2026-03-14 15:30:00.123456`, with no, three or six
//! fractional digits as needed. It is formatted and parsed field by field: chrono's formats take ten times as long.

use chrono::NaiveDateTime;
use diesel::{
    Queryable,
    backend::Backend,
    deserialize::{self, FromSql},
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{self, BigInt, SingleValue},
    sqlite::Sqlite,
};

use crate::time::Timestamp;

/// Postgres counts microseconds from 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

const DAY: i64 = 86_400;

impl ToSql<sql_types::Timestamp, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <i64 as ToSql<BigInt, Pg>>::to_sql(&(self.micros() - POSTGRES_EPOCH), &mut out.reborrow())
    }
}

impl FromSql<sql_types::Timestamp, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<sql_types::Timestamp, Pg>>::from_sql(value).map(Self::from_naive)
    }
}

impl ToSql<sql_types::Timestamp, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(format(*self));
        Ok(IsNull::No)
    }
}

impl FromSql<sql_types::Timestamp, Sqlite> for Timestamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value)?;
        // Plain SQL may have written another format.
        let other = || Self::parse(&format!("{}Z", text.trim_end_matches('Z')));
        parse(&text).or_else(other).ok_or_else(|| "not a timestamp".into())
    }
}

impl<DB, ST> Queryable<ST, DB> for Timestamp
where
    DB: Backend,
    ST: SingleValue,
    Self: FromSql<ST, DB>,
{
    type Row = Self;

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        Ok(row)
    }
}

fn format(instant: Timestamp) -> String {
    let (seconds, micros) = (instant.seconds(), instant.micros().rem_euclid(1_000_000));
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let mut text = String::with_capacity(26);
    for (number, width, before) in
        [(year, 4, ""), (month, 2, "-"), (day, 2, "-"), (time / 3600, 2, " "), (time / 60 % 60, 2, ":"), (time % 60, 2, ":")]
    {
        text.push_str(before);
        push_padded(&mut text, number, width);
    }
    if micros != 0 {
        text.push('.');
        let (digits, width) = if micros % 1_000 == 0 { (micros / 1_000, 3) } else { (micros, 6) };
        push_padded(&mut text, digits, width);
    }
    text
}

/// Appends a number with leading zeros.
fn push_padded(text: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = u8::try_from(number / 10_i64.pow(place) % 10).unwrap_or(0);
        text.push(char::from(b'0' + digit));
    }
}

/// Converts days since 1970 to year, month and day (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// Converts a date to days since 1970.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + day_of_era * 365 + day_of_era / 4 - day_of_era / 100 + day_of_year - 719_468
}

/// Parses the output of [`format`]; `None` for any other text.
fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if separators.iter().any(|(place, separator)| bytes.get(*place) != Some(separator)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let micros = match (bytes.len(), bytes.get(19)) {
        (19, None) => 0,
        (23, Some(b'.')) => number(20, 23)? * 1_000,
        (26, Some(b'.')) => number(20, 26)?,
        _ => return None,
    };
    let is_date = (1..=12).contains(&month) && civil_from_days(days_from_civil(year, month, day)) == (year, month, day);
    let is_time = hour < 24 && minute < 60 && second < 60;
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Timestamp::from_micros(seconds * 1_000_000 + micros).filter(|_| is_date && is_time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn format_matches_diesel_and_round_trips(micros in 0..253_402_300_800_000_000_i64) {
            // With six, three and no fractional digits.
            for micros in [micros, micros / 1_000 * 1_000, micros / 1_000_000 * 1_000_000] {
                let instant = Timestamp::from_micros(micros).expect("an instant");
                prop_assert_eq!(format(instant), instant.naive().format("%F %T%.f").to_string());
                prop_assert_eq!(parse(&format(instant)), Some(instant));
            }
        }
    }

    #[test]
    fn other_formats_are_rejected() {
        for other in [
            "",
            "2026-03-14",
            "2026-02-30 00:00:00",
            "2026-13-01 00:00:00",
            "2026-03-14T15:30:00",
            "2026-03-14 24:00:00",
            "2026-03-14 15:30:00.12",
            "2026-03-14 15:30:00Z",
            "2026-03-14 15:3a:00",
            "ä026-03-14 15:30:00",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
