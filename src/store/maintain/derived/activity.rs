//! The activity of endpoints: the last request, and the longest gap between two.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::BATCH_SIZE;
use crate::{
    store::{
        db::{
            connection::{Connection, on_either},
            positions::{self, ACTIVITY, Position},
            schema::{endpoint_activity as a, webhook_requests as r},
        },
        query::activity::{self, EndpointActivity, EndpointName},
    },
    time::Timestamp,
};

/// The next requests to count.
#[derive(Debug)]
pub(super) struct Step {
    requests: Vec<(EndpointName, Timestamp)>,
    from: Position,
    to: Position,
}

/// The next requests up to that one; `None` if all are counted.
pub(super) fn next(connection: &mut Connection, settled: i64) -> QueryResult<Option<Step>> {
    let from = positions::get(connection, ACTIVITY)?;
    let next = r::table.filter(r::id.gt(from.id)).filter(r::id.le(settled)).order(r::id).limit(BATCH_SIZE);
    let requests: Vec<(i64, EndpointName, Timestamp)> =
        on_either!(connection, c => next.select((r::id, (r::service_type, r::account), r::received_at)).load(c))?;
    let Some(last) = requests.last().map(|(id, ..)| *id) else { return Ok(None) };
    let requests = requests.into_iter().map(|(_, name, at)| (name, at)).collect();
    Ok(Some(Step { requests, from, to: Position { txid: 0, id: last } }))
}

impl Step {
    pub(super) fn write(&self, connection: &mut Connection) -> QueryResult<()> {
        connection.transaction(|connection| {
            // First, because it prevents other gateways from counting the same requests.
            if !positions::advance(connection, ACTIVITY, self.from, self.to)? {
                return Ok(());
            }
            let mut all = activity::load(connection)?;
            let mut changed: BTreeSet<&EndpointName> = BTreeSet::new();
            for (name, at) in &self.requests {
                all.entry(name.clone()).or_default().add(*at);
                changed.insert(name);
            }
            let changed = changed.into_iter().filter_map(|name| Some((name, all.get(name)?)));
            changed.into_iter().try_for_each(|(name, activity)| save(connection, name, activity))
        })
    }
}

fn save(connection: &mut Connection, name: &EndpointName, activity: &EndpointActivity) -> QueryResult<()> {
    let Some(last) = activity.last else { return Ok(()) };
    let sample = i64::try_from(activity.sample).unwrap_or(i64::MAX);
    let changes = (a::last_received_at.eq(last.naive()), a::sample.eq(sample), a::longest_gap.eq(activity.longest_gap));
    on_either!(connection, c => {
        diesel::insert_into(a::table)
            .values((a::service_type.eq(&name.0), a::account.eq(&name.1), changes))
            .on_conflict((a::service_type, a::account))
            .do_update()
            .set(changes)
            .execute(c)
            .map(drop)
    })
}
