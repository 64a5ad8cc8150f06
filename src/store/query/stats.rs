//! Delivery statistics by provider and period.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DurationRound, TimeDelta};
use diesel::{
    QueryResult, RunQueryDsl,
    sql_types::{self, BigInt, Text as SqlText},
};
use serde::Serialize;
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::ranges::{self, RangedTable};
use crate::{
    status::Status,
    store::db::{
        connection::Connection,
        statement::{SqlTemplate, Statement, Value},
    },
    time::Timestamp,
};

/// The length of a period.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, utoipa::ToSchema,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    Minute,
    #[default]
    Hour,
    /// A day in UTC.
    Day,
}

impl Bucket {
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }
}

/// Selects periods and providers.
#[derive(Clone, Copy, Debug)]
pub struct StatsFilter {
    /// A time in the first period.
    pub since: Timestamp,
    /// End of the range (exclusive).
    pub until: Timestamp,
    pub bucket: Bucket,
    pub service_type: Option<&'static str>,
}

/// Maximum number of periods in one response.
const MAX_BUCKETS: i64 = 800;

impl StatsFilter {
    /// The start of each period; `None` for an empty or too long range.
    pub fn starts(&self) -> Option<Vec<Timestamp>> {
        let (length, until) = (self.bucket.length(), self.until.naive());
        let mut start = self.since.naive().duration_trunc(length).ok()?;
        let count = (until - start).num_seconds().checked_div(length.num_seconds())?;
        if start >= until || count >= MAX_BUCKETS {
            return None;
        }
        let mut starts = Vec::new();
        while start < until {
            starts.push(Timestamp::from_naive(start));
            start = start.checked_add_signed(length)?;
        }
        Some(starts)
    }
}

/// Message counts of one provider, in one period or in total.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MessageCounts {
    /// Start of the period; absent in totals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    pub service_type: String,
    /// Outbound messages whose first event arrived in the period.
    pub messages: i64,
    /// These messages by their current status.
    pub by_status: BTreeMap<String, i64>,
    pub delivered: i64,
    /// Failed, rejected, expired, undelivered or bounced.
    pub failed: i64,
    pub opened: i64,
    /// Messages with a clicked link.
    pub clicked: i64,
    /// Delivered / (delivered + failed).
    pub delivery_rate: Option<f64>,
    /// Opened / arrived, where arrived is the greatest of delivered, opened and clicked.
    pub open_rate: Option<f64>,
    /// Clicked / arrived.
    pub click_rate: Option<f64>,
}

impl MessageCounts {
    fn add(&mut self, row: &StatusCount) {
        self.messages += row.messages;
        *self.by_status.entry(row.status.clone()).or_default() += row.messages;
        match row.status.parse::<Status>() {
            Ok(Status::Delivered) => self.delivered += row.messages,
            Ok(status) if status.is_failure() => self.failed += row.messages,
            _ => {}
        }
        self.opened += row.opened;
        self.clicked += row.clicked;
    }

    fn with_rates(mut self) -> Self {
        // An opened or clicked message has arrived, regardless of its reported status.
        let arrived = self.delivered.max(self.opened).max(self.clicked);
        self.delivery_rate = rate(self.delivered, self.delivered + self.failed);
        self.open_rate = rate(self.opened, arrived);
        self.click_rate = rate(self.clicked, arrived);
        self
    }
}

/// A ratio with four decimal places.
fn rate(part: i64, whole: i64) -> Option<f64> {
    let ten_thousandths = (part * 10_000).checked_div(whole)?;
    Some(f64::from(i32::try_from(ten_thousandths).ok()?) / 10_000.0)
}

/// Delivery statistics.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// Start of the first period.
    pub since: Timestamp,
    /// End of the range (exclusive).
    pub until: Timestamp,
    pub bucket: Bucket,
    /// Start of every period, including empty ones.
    pub starts: Vec<Timestamp>,
    /// By provider, over all periods.
    pub totals: Vec<MessageCounts>,
    /// By period and provider, without empty ones.
    pub buckets: Vec<MessageCounts>,
}

/// Counts of messages of one period, provider and status, in a range of ids.
struct StatusCount {
    period: Timestamp,
    service_type: String,
    status: String,
    messages: i64,
    opened: i64,
    clicked: i64,
}

/// Time limit of one response, in addition to the statement that is running.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Counts the messages; `None` if that takes too long.
pub(crate) fn stats(connection: &mut Connection, filter: &StatsFilter, starts: Vec<Timestamp>) -> QueryResult<Option<Stats>> {
    let started = Instant::now();
    let since = starts.first().copied().unwrap_or(filter.since);
    let mut totals: BTreeMap<String, MessageCounts> = BTreeMap::new();
    let mut buckets: BTreeMap<(Timestamp, String), MessageCounts> = BTreeMap::new();
    for (low, high) in ranges::within(connection, RangedTable::Messages, Some(since), Some(filter.until))? {
        // Ids without rows are skipped: the application may have written any id, and the newest range is open-ended.
        let mut next = ranges::first_message(connection, low)?;
        while let Some(first) = next.filter(|first| *first < high) {
            if started.elapsed() > TIME_LIMIT {
                return Ok(None);
            }
            let end = high.min(first.saturating_add(ID_SPAN));
            for row in count(connection, (first, end), (since, filter.until), filter.bucket)? {
                if filter.service_type.is_some_and(|provider| provider != row.service_type) {
                    continue;
                }
                let new = |start| MessageCounts { start, service_type: row.service_type.clone(), ..MessageCounts::default() };
                totals.entry(row.service_type.clone()).or_insert_with(|| new(None)).add(&row);
                let counts = buckets.entry((row.period, row.service_type.clone()));
                counts.or_insert_with(|| new(Some(row.period))).add(&row);
            }
            next = ranges::first_message(connection, end)?;
        }
    }
    Ok(Some(Stats {
        since,
        until: filter.until,
        bucket: filter.bucket,
        starts,
        totals: totals.into_values().map(MessageCounts::with_rates).collect(),
        buckets: buckets.into_values().map(MessageCounts::with_rates).collect(),
    }))
}

/// Ids in one statement, so that its duration does not depend on the length of the period.
const ID_SPAN: i64 = 65_536;

/// Declares the statement that counts the rows in a range of ids and times.
macro_rules! count_template {
    ($Template:ident: $before:literal, $after:literal -> $Period:ty) => {
        struct $Template;
        impl SqlTemplate for $Template {
            const PIECES: &'static [&'static [&'static str]] = &[
                &["SELECT ", $before],
                &[
                    $after,
                    " AS period, service_type, status, count(*), count(opened_at), count(clicked_at) FROM message_external_ids \
                    WHERE (direction IS NULL OR direction <> 'inbound') AND id >= ",
                ],
                &[" AND id < "],
                &[" AND created_at >= "],
                &[" AND created_at < "],
                &[" GROUP BY 1, 2, 3"],
            ];
            type Row = ($Period, SqlText, SqlText, BigInt, BigInt, BigInt);
        }
    };
}
count_template!(CountOnSqlite: "substr(created_at, 1, ", ")" -> SqlText);
count_template!(CountOnPostgres: "date_trunc(", ", created_at)" -> sql_types::Timestamp);

fn count(
    connection: &mut Connection,
    (first, end): (i64, i64),
    (since, until): (Timestamp, Timestamp),
    bucket: Bucket,
) -> QueryResult<Vec<StatusCount>> {
    macro_rules! load {
        ($Template:ident, $connection:expr, $unit:expr, $Period:ty) => {
            Statement::new(
                $Template,
                (
                    ($unit,),
                    (Value::<BigInt, _>::new(first),),
                    (Value::<BigInt, _>::new(end),),
                    (Value::<sql_types::Timestamp, _>::new(since),),
                    (Value::<sql_types::Timestamp, _>::new(until),),
                ),
            )
            .load::<($Period, String, String, i64, i64, i64)>($connection)?
        };
    }
    let counted = |(period, service_type, status, messages, opened, clicked)| StatusCount {
        period,
        service_type,
        status,
        messages,
        opened,
        clicked,
    };
    Ok(match connection {
        Connection::Sqlite(c) => {
            // The text of a timestamp begins with its period.
            let (length, rest) = match bucket {
                Bucket::Minute => (16_i64, ":00Z"),
                Bucket::Hour => (13, ":00:00Z"),
                Bucket::Day => (10, "T00:00:00Z"),
            };
            let rows = load!(CountOnSqlite, c, Value::<BigInt, _>::new(length), String);
            let period = |text: &str| Timestamp::parse(&format!("{}{rest}", text.replacen(' ', "T", 1)));
            rows.into_iter().filter_map(|row| Some(counted((period(&row.0)?, row.1, row.2, row.3, row.4, row.5)))).collect()
        }
        Connection::Postgres(c) => {
            let rows = load!(CountOnPostgres, c, Value::<SqlText, _>::new(bucket.as_ref()), Timestamp);
            rows.into_iter().map(counted).collect()
        }
    })
}
