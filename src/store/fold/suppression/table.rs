//! The rows of `suppressions`. One transaction at a time writes them: it locks the position of their derivation first.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use super::{Evidence, Reported, ReportingEvent, SuppressionKey};
use crate::{
    store::db::{
        connection::{Connection, on_either},
        positions,
        schema::suppressions as s,
    },
    time::Timestamp,
};

/// Adds reports to their suppressions.
pub(crate) fn insert(connection: &mut Connection, reported: &[Reported]) -> QueryResult<()> {
    for (key, reports) in by_key(reported) {
        let (id, before) = load(connection, key)?.unzip();
        let mut evidence = before.clone().unwrap_or_default();
        for one in &reports {
            evidence.add(one.lifts, one.report.clone());
        }
        let newest = reports.iter().map(|one| one.received_at).max();
        match (id, newest) {
            (Some(id), Some(received_at)) if before.as_ref() != Some(&evidence) => {
                update(connection, id, &evidence, received_at)?;
            }
            (None, Some(_)) => create(connection, key, &evidence, reports.iter().map(|one| one.received_at))?,
            _ => {}
        }
    }
    Ok(())
}

/// Removes what events have reported, because they are deleted in this transaction to be replaced.
pub(crate) fn retract(connection: &mut Connection, events: &[ReportingEvent]) -> QueryResult<()> {
    let reported: Vec<Reported> = events.iter().flat_map(ReportingEvent::reported).collect();
    if reported.is_empty() {
        return Ok(());
    }
    positions::reset_suppressions(connection)?;
    for (key, reports) in by_key(&reported) {
        let Some((id, mut evidence)) = load(connection, key)? else { continue };
        for one in &reports {
            evidence.retract(one.report.source());
        }
        if evidence.is_empty() {
            on_either!(connection, c => diesel::delete(s::table.filter(s::id.eq(id))).execute(c))?;
        } else if let Some(received_at) = reports.iter().map(|one| one.received_at).max() {
            update(connection, id, &evidence, received_at)?;
        }
    }
    Ok(())
}

fn by_key(reported: &[Reported]) -> BTreeMap<&SuppressionKey, Vec<&Reported>> {
    let mut by_key: BTreeMap<&SuppressionKey, Vec<&Reported>> = BTreeMap::new();
    for one in reported {
        by_key.entry(&one.key).or_default().push(one);
    }
    by_key
}

fn load(connection: &mut Connection, key: &SuppressionKey) -> QueryResult<Option<(i64, Evidence)>> {
    let row = s::table
        .filter(s::address.eq(&key.address))
        .filter(s::service_type.eq(&key.service_type))
        .filter(s::account.eq(&key.account))
        .filter(s::channel.eq(key.channel))
        .filter(s::reason.eq(<&str>::from(key.reason)))
        .filter(s::sender.eq(&key.sender))
        .select((s::id, s::evidence));
    let row: Option<(i64, String)> = on_either!(connection, c => row.first(c).optional())?;
    Ok(row.map(|(id, json)| (id, Evidence::parse(&json))))
}

/// The columns that follow from the evidence.
macro_rules! columns {
    ($evidence:expr) => {
        (
            s::is_active.eq($evidence.active_since().is_some()),
            s::active_since.eq($evidence.active_since().map(Timestamp::naive)),
            s::first_at.eq($evidence.first_at().map(Timestamp::naive)),
            s::last_at.eq($evidence.last_at().map(Timestamp::naive)),
            s::lifted_at.eq($evidence.lifted_at().map(Timestamp::naive)),
            s::evidence.eq($evidence.to_json()),
        )
    };
}

fn update(connection: &mut Connection, id: i64, evidence: &Evidence, received_at: Timestamp) -> QueryResult<()> {
    let this = s::table.filter(s::id.eq(id));
    let changes = (columns!(evidence), s::updated_at.eq(received_at.naive()));
    on_either!(connection, c => diesel::update(this).set(changes).execute(c)).map(drop)
}

fn create(
    connection: &mut Connection,
    key: &SuppressionKey,
    evidence: &Evidence,
    received: impl Iterator<Item = Timestamp> + Clone,
) -> QueryResult<()> {
    let (Some(first), Some(last)) = (received.clone().min(), received.max()) else { return Ok(()) };
    let values = (
        s::address.eq(&key.address),
        s::service_type.eq(&key.service_type),
        s::account.eq(&key.account),
        s::channel.eq(key.channel),
        s::reason.eq(<&str>::from(key.reason)),
        s::sender.eq(&key.sender),
        columns!(evidence),
        s::created_at.eq(first.naive()),
        s::updated_at.eq(last.naive()),
    );
    on_either!(connection, c => diesel::insert_into(s::table).values(values).execute(c)).map(drop)
}
