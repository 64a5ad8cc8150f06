//! Persistent positions: the progress of tables that are derived from others, and ids that must not be reused.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    connection::{Connection, on_either},
    schema::positions as p,
};

/// Tables whose rows may all be deleted: on SQLite new ids continue from these positions.
pub(crate) const REQUESTS: &str = "webhook_requests";
pub(crate) const EVENTS: &str = "webhook_events";

/// The last message whose addresses are indexed, and the last request that is counted in its endpoint's activity.
pub(crate) const ADDRESSES: &str = "message_addresses";
pub(crate) const ACTIVITY: &str = "endpoint_activity";

/// The last event from whose details the client of an open or a click has expired.
pub(crate) const CLIENTS: &str = "webhook_events.clients";

/// The last event, and the last inbound message, whose suppressions are derived. Events also name the inbound messages that they change;
/// the parts of long messages are joined without an event.
pub(crate) const SUPPRESSIONS: &str = "suppressions";
pub(crate) const INBOUND_SUPPRESSIONS: &str = "suppressions.inbound";

/// The number of changes to rows from which suppressions may have been derived.
pub(crate) const SUPPRESSION_RESETS: &str = "suppressions.resets";

/// Counts the writers' tests of the database.
const TESTS: &str = "writer_tests";

/// A position in a table: an id and, where rows are not committed in the order of their ids, a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) txid: i64,
    pub(crate) id: i64,
}

/// The position of that name; the start of the table by default.
pub(crate) fn get(connection: &mut Connection, name: &str) -> QueryResult<Position> {
    let row: Option<(i64, i64)> = on_either!(connection, c => p::table.find(name).select((p::txid, p::id)).first(c).optional())?;
    Ok(row.map_or_else(Position::default, |(txid, id)| Position { txid, id }))
}

/// Moves a position unless another gateway has moved it; returns true if it moved.
pub(crate) fn advance(connection: &mut Connection, name: &str, from: Position, to: Position) -> QueryResult<bool> {
    let values = (p::name.eq(name), p::txid.eq(to.txid), p::id.eq(to.id));
    on_either!(connection, c => {
        let existing = p::table.find(name).filter(p::txid.eq(from.txid)).filter(p::id.eq(from.id));
        let moved = diesel::update(existing).set((p::txid.eq(to.txid), p::id.eq(to.id))).execute(c)?;
        if moved == 1 || from != Position::default() {
            return Ok(moved == 1);
        }
        Ok(diesel::insert_into(p::table).values(values).on_conflict_do_nothing().execute(c)? == 1)
    })
}

/// Locks a position until the end of the transaction.
pub(crate) fn lock(connection: &mut Connection, name: &str) -> QueryResult<()> {
    move_by(connection, name, 0)
}

/// Prevents the steps of the derivation of suppressions that were computed before from being written: rows that they may have read change in
/// this transaction.
pub(crate) fn reset_suppressions(connection: &mut Connection) -> QueryResult<()> {
    lock(connection, SUPPRESSIONS)?;
    move_by(connection, SUPPRESSION_RESETS, 1)
}

fn move_by(connection: &mut Connection, name: &str, ids: i64) -> QueryResult<()> {
    let values = (p::name.eq(name), p::txid.eq(0), p::id.eq(ids));
    on_either!(connection, c => {
        diesel::insert_into(p::table).values(values).on_conflict(p::name).do_update().set(p::id.eq(p::id + ids)).execute(c).map(drop)
    })
}

/// Moves a position to at least that id.
pub(crate) fn raise_to(connection: &mut Connection, name: &str, id: i64) -> QueryResult<()> {
    let existing = get(connection, name)?;
    if existing.id < id {
        advance(connection, name, existing, Position { id, ..existing })?;
    }
    Ok(())
}

/// Writes a row, which needs space on the disk.
pub(crate) fn count_test(connection: &mut Connection) -> QueryResult<()> {
    let first = (p::name.eq(TESTS), p::txid.eq(0), p::id.eq(1));
    on_either!(connection, c => {
        diesel::insert_into(p::table).values(first).on_conflict(p::name).do_update().set(p::id.eq(p::id + 1)).execute(c).map(drop)
    })
}
