//! The list of suppressions, from a derived table (`maintain::derived`). A page says how many events it does not cover yet.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::Serialize;
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::{
    Page, feed, filter, narrow,
    ranges::{self, RangedTable},
    scan::{CANDIDATE_LIMIT, Candidates, MAX_CANDIDATES, scan},
};
use crate::{
    address,
    status::Channel,
    store::{
        db::{
            connection::{Connection, on_either},
            positions::{self, INBOUND_SUPPRESSIONS, SUPPRESSIONS},
            schema::suppressions as s,
        },
        fold::suppression::{Evidence, Report, SuppressionReason, suppressed_channel},
    },
    time::Timestamp,
};

/// The state of a suppression.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, utoipa::ToSchema,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuppressionState {
    #[default]
    Active,
    /// It was active, and a later report has ended it.
    Lifted,
    All,
}

/// A recipient to whom no message should be sent on a channel.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Suppression {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    /// The channel, or null if it is unknown. Opt-outs from `sms` apply to `mms` as well.
    pub channel: Option<String>,
    /// The recipient, as it is looked up by.
    pub address: String,
    /// `opt_out`, `unsubscribed`, `complaint`, `hard_bounce` or `suppressed`.
    pub reason: String,
    /// The number or name of yours to which an opt-out applies.
    pub sender: Option<String>,
    pub is_active: bool,
    /// The first report since it was last lifted; null while it is lifted.
    pub active_since: Option<Timestamp>,
    /// The first report.
    pub first_at: Option<Timestamp>,
    /// The newest report.
    pub last_at: Option<Timestamp>,
    /// The newest report of its end.
    pub lifted_at: Option<Timestamp>,
    /// The first report and the twenty newest ones, oldest first.
    pub reports: Vec<Report>,
    /// The reports of its end, likewise.
    pub lifts: Vec<Report>,
    /// Receipt of the report with which it was listed first.
    pub created_at: Timestamp,
    /// Receipt of the report that changed it last.
    pub updated_at: Timestamp,
}

/// A row of the table.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = s)]
struct SuppressionRow {
    id: i64,
    service_type: String,
    account: String,
    channel: String,
    address: String,
    reason: String,
    sender: String,
    is_active: bool,
    active_since: Option<Timestamp>,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    lifted_at: Option<Timestamp>,
    evidence: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<SuppressionRow> for Suppression {
    fn from(row: SuppressionRow) -> Self {
        let Evidence { reports, lifts } = Evidence::parse(&row.evidence);
        let present = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            id: row.id,
            service_type: row.service_type,
            account: row.account,
            channel: present(row.channel),
            address: row.address,
            reason: row.reason,
            sender: present(row.sender),
            is_active: row.is_active,
            active_since: row.active_since,
            first_at: row.first_at,
            last_at: row.last_at,
            lifted_at: row.lifted_at,
            reports,
            lifts,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of suppressions.
#[derive(Clone, Debug)]
pub struct SuppressionPage {
    pub page: Page<Suppression>,
    /// The number of newest events and inbound messages that it does not cover.
    pub unindexed: i64,
}

filter! {
    /// Selects suppressions by the receipt of their first report and other conditions.
    pub struct SuppressionFilter {
        /// The recipient, in any form.
        address: Option<String>,
        channel: Option<Channel>,
        reason: Option<SuppressionReason>,
        state: SuppressionState,
    }
}

pub(crate) fn suppressions(connection: &mut Connection, filter: &SuppressionFilter) -> QueryResult<SuppressionPage> {
    // Read first, so that the page covers at least the others.
    let unindexed = count_uncovered(connection)?;
    let candidates = filter.address.as_deref().map(candidates);
    let page: Page<SuppressionRow> =
        scan!(connection, filter, s, SuppressionRow, created_at, RangedTable::Suppressions, candidates, |query| {
            narrow!(query, filter, s: service_type, account);
            if let Some(channel) = filter.channel {
                query = query.filter(s::channel.eq(suppressed_channel(channel)));
            }
            if let Some(reason) = filter.reason {
                query = query.filter(s::reason.eq(<&str>::from(reason)));
            }
            // A row with nothing but reports of its end, which may have overtaken the first one, is no suppression.
            query = match filter.state {
                SuppressionState::Active => query.filter(s::is_active.eq(true)),
                SuppressionState::Lifted => query.filter(s::is_active.eq(false)).filter(s::first_at.is_not_null()),
                SuppressionState::All => query.filter(s::first_at.is_not_null()),
            };
        });
    Ok(SuppressionPage { page: page.map(Suppression::from), unindexed })
}

/// The number of newest events and inbound messages that are not covered: exact if it is 0, else an estimate.
pub(crate) fn count_uncovered(connection: &mut Connection) -> QueryResult<i64> {
    let covered = positions::get(connection, SUPPRESSIONS)?;
    let events = feed::count_after(connection, covered.into())?;
    let inbound = ranges::newest_id(connection, RangedTable::Inbound)? - positions::get(connection, INBOUND_SUPPRESSIONS)?.id;
    Ok(events + inbound.max(0))
}

/// The rows with that address.
fn candidates<'f>(text: &str) -> Candidates<'f> {
    let keys = address::typed_keys(text);
    Box::new(move |connection, below| {
        let mut ids: BTreeSet<i64> = BTreeSet::new();
        for key in &keys {
            let rows = s::table.filter(s::address.eq(key)).filter(s::id.lt(below)).order(s::id.desc());
            let rows = rows.limit(CANDIDATE_LIMIT).select(s::id);
            ids.extend(on_either!(connection, c => rows.load::<i64>(c))?);
        }
        Ok(ids.into_iter().rev().take(MAX_CANDIDATES).collect())
    })
}
