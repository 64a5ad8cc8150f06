//! The clients of opens and clicks in the details of events, which expire with the raw bodies. The machine that was recognized remains.

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};
use serde_json::Value;

use crate::{
    event::EventType,
    store::db::{
        connection::{Connection, on_either},
        positions::{self, CLIENTS, Position},
        schema::webhook_events as e,
    },
};

/// Removes what a detail says about the client of an open or a click; returns true if there was anything.
pub(crate) fn remove_client(detail: &mut Value) -> bool {
    let engagement = detail.get_mut("engagement").and_then(Value::as_object_mut);
    engagement.is_some_and(|fields| {
        let before = fields.len();
        fields.retain(|name, _| !["ip_address", "link", "user_agent"].contains(&name.as_str()));
        fields.len() < before
    })
}

/// Removes the clients in the next events, all of which must be older than that time; returns true if there may be more.
///
/// The position is before the first event that is not: ids are assigned only approximately in the order of time.
pub(crate) fn expire(connection: &mut Connection, cutoff: NaiveDateTime, limit: i64) -> QueryResult<bool> {
    let from = positions::get(connection, CLIENTS)?;
    let next = e::table.filter(e::id.gt(from.id)).order(e::id).limit(limit).select((e::id, e::received_at, e::event_type));
    let events: Vec<(i64, NaiveDateTime, String)> = on_either!(connection, c => next.load(c))?;
    let old: Vec<&(i64, NaiveDateTime, String)> = events.iter().take_while(|(_, received_at, _)| *received_at < cutoff).collect();
    let Some((last, ..)) = old.last() else { return Ok(false) };
    let has_client =
        |event_type: &str| [EventType::MessageOpened, EventType::MessageClicked].iter().any(|one| one.as_ref() == event_type);
    let ids: Vec<i64> = old.iter().filter(|(.., event_type)| has_client(event_type)).map(|(id, ..)| *id).collect();
    let details = e::table.filter(e::id.eq_any(ids)).order(e::id).select((e::id, e::detail));
    let details: Vec<(i64, String)> = on_either!(connection, c => details.load(c))?;
    for (id, detail) in details {
        let mut detail: Value = serde_json::from_str(&detail).unwrap_or_default();
        if remove_client(&mut detail) {
            let event = e::table.filter(e::id.eq(id));
            on_either!(connection, c => diesel::update(event).set(e::detail.eq(detail.to_string())).execute(c))?;
        }
    }
    positions::advance(connection, CLIENTS, from, Position { id: *last, ..from })?;
    Ok(old.len() == events.len())
}
