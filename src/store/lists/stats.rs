//! How messages fared, per provider and period.

use std::collections::BTreeMap;

use chrono::{DurationRound, NaiveDateTime, TimeDelta};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{count, count_star},
};
use serde::Serialize;
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use crate::{
    status::{Direction, Status},
    store::{
        connection::{Connection, on_either},
        schema::message_external_ids as m,
    },
    time::Timestamp,
};

/// How long a period is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, utoipa::ToSchema,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// An hour.
    #[default]
    Hour,
    /// A day, in UTC.
    Day,
}

impl Bucket {
    /// How long it is.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }
}

/// Of which periods.
#[derive(Clone, Copy, Debug)]
pub struct StatsFilter {
    /// From the period in which this instant lies.
    pub since: Timestamp,
    /// Up to this instant.
    pub until: Timestamp,
    /// How long a period is.
    pub bucket: Bucket,
    /// Of one provider.
    pub service_type: Option<&'static str>,
}

/// Periods in one answer.
const MAX_BUCKETS: i64 = 800;

impl StatsFilter {
    /// The first instant of each period; `None` if it is no range, or too long a one.
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

/// Figures of one provider, in one period or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Figures {
    /// First instant of the period; absent in totals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Provider.
    pub service_type: String,
    /// Messages that were first heard of in the period; those that came in are not counted.
    pub messages: i64,
    /// The same by their status of now.
    pub by_status: BTreeMap<String, i64>,
    /// Delivered.
    pub delivered: i64,
    /// Failed, rejected, expired, undelivered or bounced.
    pub failed: i64,
    /// Opened by their recipient.
    pub opened: i64,
    /// With a link that was clicked.
    pub clicked: i64,
    /// Delivered of all that were delivered or failed.
    pub delivery_rate: Option<f64>,
    /// Opened of all that arrived.
    pub open_rate: Option<f64>,
    /// Clicked of all that arrived.
    pub click_rate: Option<f64>,
}

impl Figures {
    fn add(&mut self, row: &Row) {
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

    fn measured(mut self) -> Self {
        // What was opened or clicked has arrived, whatever was reported of it.
        let arrived = self.delivered.max(self.opened).max(self.clicked);
        self.delivery_rate = rate(self.delivered, self.delivered + self.failed);
        self.open_rate = rate(self.opened, arrived);
        self.click_rate = rate(self.clicked, arrived);
        self
    }
}

/// To four places.
fn rate(part: i64, whole: i64) -> Option<f64> {
    let ten_thousandths = (part * 10_000).checked_div(whole)?;
    Some(f64::from(i32::try_from(ten_thousandths).ok()?) / 10_000.0)
}

/// How messages fared.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// First instant of the first period.
    pub since: Timestamp,
    /// Up to this instant.
    pub until: Timestamp,
    /// How long a period is.
    pub bucket: Bucket,
    /// First instant of every period, also of those in which nothing happened.
    pub starts: Vec<Timestamp>,
    /// By provider, all periods together.
    pub totals: Vec<Figures>,
    /// By period and provider, where there is something.
    pub buckets: Vec<Figures>,
}

struct Row {
    service_type: String,
    status: String,
    messages: i64,
    opened: i64,
    clicked: i64,
}

pub(super) fn stats(connection: &mut Connection, filter: &StatsFilter, starts: Vec<Timestamp>) -> QueryResult<Stats> {
    let mut totals: BTreeMap<String, Figures> = BTreeMap::new();
    let mut buckets = Vec::new();
    for start in &starts {
        let end = start.naive().checked_add_signed(filter.bucket.length()).unwrap_or(NaiveDateTime::MAX);
        let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
        for row in rows(connection, start.naive(), end.min(filter.until.naive()), filter.service_type)? {
            for (all, start) in [(&mut totals, None), (&mut figures, Some(*start))] {
                let one = || Figures { start, service_type: row.service_type.clone(), ..Figures::default() };
                all.entry(row.service_type.clone()).or_insert_with(one).add(&row);
            }
        }
        buckets.extend(figures.into_values().map(Figures::measured));
    }
    Ok(Stats {
        since: starts.first().copied().unwrap_or(filter.since),
        until: filter.until,
        bucket: filter.bucket,
        starts,
        totals: totals.into_values().map(Figures::measured).collect(),
        buckets,
    })
}

/// One period at a time: no statement takes long, however long the range is.
fn rows(
    connection: &mut Connection,
    start: NaiveDateTime,
    end: NaiveDateTime,
    service_type: Option<&'static str>,
) -> QueryResult<Vec<Row>> {
    let rows: Vec<(String, String, i64, i64, i64)> = on_either!(connection, c => {
        let mut query = m::table
            .group_by((m::service_type, m::status))
            .select((m::service_type, m::status, count_star(), count(m::opened_at), count(m::clicked_at)))
            .filter(m::created_at.ge(start).and(m::created_at.lt(end)))
            .filter(m::direction.is_null().or(m::direction.ne(Direction::Inbound.as_ref())))
            .into_boxed();
        if let Some(service_type) = service_type {
            query = query.filter(m::service_type.eq(service_type));
        }
        query.load(c)?
    });
    let row = |(service_type, status, messages, opened, clicked)| Row { service_type, status, messages, opened, clicked };
    Ok(rows.into_iter().map(row).collect())
}
