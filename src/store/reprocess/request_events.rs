//! The events of a stored request. They have no index: the request's row stores their position in the feed, which is the id of the first
//! one on SQLite and the transaction that wrote them on Postgres.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper, sql_types::BigInt};

use super::rebuild::FoldedEvent;
use crate::store::{
    db::{
        connection::Connection,
        positions,
        schema::{webhook_events as e, webhook_requests as r},
        statement::{SqlTemplate, Statement, Value},
    },
    fold::suppression::{self, ReportingEvent},
    write::{batch::InsertedRequest, sqlite},
};

/// Selects the events of a request.
macro_rules! select_events {
    ($connection:expr, $id:expr, |$c:ident, $events:ident| $body:expr) => {{
        let request = r::table.filter(r::id.eq($id)).select((r::events_at, r::event_count));
        match $connection {
            Connection::Sqlite($c) => {
                let (first, count): (Option<i64>, i64) = request.first($c).optional()?.unwrap_or_default();
                let first = first.unwrap_or(0);
                let $events = e::table.filter(e::id.ge(first)).filter(e::id.lt(first + count)).filter(e::request_id.eq($id));
                $body
            }
            Connection::Postgres($c) => {
                let (txid, _): (Option<i64>, i64) = request.first($c).optional()?.unwrap_or_default();
                let $events = e::table.filter(e::txid.eq(txid.unwrap_or(0))).filter(e::request_id.eq($id));
                $body
            }
        }
    }};
}

/// The events of a request, in their order in it.
pub(crate) fn find(connection: &mut Connection, id: i64) -> QueryResult<Vec<FoldedEvent>> {
    select_events!(connection, id, |c, events| events.order(e::id).select(FoldedEvent::as_select()).load(c))
}

/// The events of a request that report a suppression.
fn reporting(connection: &mut Connection, id: i64) -> QueryResult<Vec<ReportingEvent>> {
    let events: Vec<ReportingEvent> =
        select_events!(connection, id, |c, events| events.order(e::id).select(ReportingEvent::as_select()).load(c))?;
    Ok(events)
}

struct SetPosition;
impl SqlTemplate for SetPosition {
    const PIECES: &'static [&'static [&'static str]] = &[
        &["UPDATE webhook_requests SET events_at = pg_current_xact_id()::text::bigint, event_count = "],
        &[" WHERE id = "],
        &[],
    ];
    type Row = ();
}

/// Deletes the events of a request, and assigns the position of `count` new ones.
pub(crate) fn replace(connection: &mut Connection, id: i64, count: usize) -> QueryResult<InsertedRequest> {
    // New ids are assigned before old ones are deleted, so that none is reused and readers of the feed see the new events.
    let next = next_event_id(connection)?;
    positions::raise_to(connection, positions::EVENTS, next - 1)?;
    let reporting = reporting(connection, id)?;
    suppression::retract(connection, &reporting)?;
    select_events!(connection, id, |c, events| diesel::delete(events).execute(c))?;
    set_position(connection, id, count, next)
}

/// Assigns the position of a request's first `count` events.
pub(crate) fn assign_position(connection: &mut Connection, id: i64, count: usize) -> QueryResult<InsertedRequest> {
    let next = next_event_id(connection)?;
    set_position(connection, id, count, next)
}

/// The least id that no event has had on SQLite; Postgres assigns ids itself.
fn next_event_id(connection: &mut Connection) -> QueryResult<i64> {
    match connection {
        Connection::Sqlite(c) => sqlite::next_event_id(c),
        Connection::Postgres(_) => Ok(0),
    }
}

fn set_position(connection: &mut Connection, id: i64, count: usize, first_event: i64) -> QueryResult<InsertedRequest> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match connection {
        Connection::Sqlite(c) => {
            let request = r::table.filter(r::id.eq(id));
            diesel::update(request).set((r::events_at.eq(first_event), r::event_count.eq(count))).execute(c)?;
        }
        Connection::Postgres(c) => {
            let values = ((Value::<BigInt, _>::new(count),), (Value::<BigInt, _>::new(id),));
            Statement::new(SetPosition, values).execute(c)?;
        }
    }
    Ok(InsertedRequest { id, first_event })
}
