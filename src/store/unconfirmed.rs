//! Messages of which no final report came before the deadline: the sweep makes an event of it, so that it is part of their
//! story, and a report that comes after all replaces it like any other.

use std::{collections::BTreeMap, time::Duration};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use sha2::{Digest, Sha256};

use super::{
    Store, StoreError,
    commit::{Identity, Writer},
    connection::{for_both, on_either},
    rebuild::rebuild,
    record::Source,
    rows::{EventRow, MessageRow},
    rule::Rule,
    schema::message_external_ids as m,
};
use crate::{
    event::{Event, EventType, ExternalId},
    providers,
    status::{Direction, Status},
    time::Timestamp,
};

/// Messages that are marked in one transaction.
const STEP: i64 = 50;

/// Statuses that wait for a better one, `unconfirmed` aside.
const WAITING: [Status; 8] = [
    Status::Registered,
    Status::Unknown,
    Status::Scheduled,
    Status::Accepted,
    Status::Queued,
    Status::Sending,
    Status::Sent,
    Status::Deferred,
];

/// What stands in `verified_by` for an event of ours.
const SWEEP: &str = "sweep";

/// A message that has waited long enough.
#[derive(Queryable, Selectable)]
#[diesel(table_name = m)]
pub(super) struct Overdue {
    service_type: String,
    account: String,
    external_id: String,
    recipient_key: String,
    state_key: Vec<u8>,
    updated_at: NaiveDateTime,
}

impl Overdue {
    fn identity(&self) -> Identity {
        Identity::of(&self.service_type, &self.account, &self.external_id, &self.recipient_key)
    }

    /// The event, and the row that it alone would make. Whoever finds it first, its key is the same.
    fn event(&self, now: Timestamp, deadline: TimeDelta) -> Option<(EventRow, MessageRow)> {
        let source = Source {
            service_type: providers::find(&self.service_type)?.name,
            account: &self.account,
            verified_by: SWEEP,
            received_at: now,
        };
        let event = Event {
            external_id: Some(ExternalId::new(&self.external_id)?),
            recipient_key: Some(self.recipient_key.clone()),
            occurred_at: self.updated_at.checked_add_signed(deadline).map(Timestamp::from_naive),
            ..Event::of_status(EventType::MessageUnconfirmed, "", Some(Status::Unconfirmed))
        };
        // No provider's event has a key of this kind: theirs begin with a length.
        let mut key = Sha256::new().chain_update([u8::MAX; 8]).chain_update("unconfirmed");
        for part in self.identity().parts() {
            key.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            key.update(part);
        }
        let mut row = EventRow::of(source, key.finalize().to_vec(), &event);
        row.applied_rule = Some(Rule::of(Some(&self.state_key), &row.state_key, true).into());
        let message = MessageRow::of(source, &event, &row.state_key)?;
        Some((row, message))
    }
}

impl Store {
    /// Marks what has waited longer than the deadline.
    pub(super) async fn mark_unconfirmed(&self, now: Timestamp) -> Result<(), StoreError> {
        let Some(deadline) = self.options.unconfirmed_after else { return Ok(()) };
        while self.task(move |c| on_either!(c, c => mark(c, now, deadline))).await? {}
        Ok(())
    }
}

/// Marks some of the messages that have waited longer than the deadline; whether there may be more.
fn mark(writer: &mut impl Writer, now: Timestamp, deadline: Duration) -> QueryResult<bool> {
    let deadline = TimeDelta::from_std(deadline).unwrap_or(TimeDelta::MAX);
    let Some(before) = now.naive().checked_sub_signed(deadline) else { return Ok(false) };
    let mut overdue = Vec::new();
    for status in WAITING {
        for direction in [None, Some(Direction::Outbound)] {
            overdue.extend(writer.waiting_since(status.into(), direction.map(Into::into), before, STEP)?);
        }
    }
    overdue.truncate(usize::try_from(STEP).unwrap_or(0));
    let mark = |message: &Overdue| {
        let (event, row) = message.event(now, deadline)?;
        Some((event.event_key.clone(), (message.identity(), event, row)))
    };
    // In the order of their keys, as every table is written.
    let marks: BTreeMap<Vec<u8>, Mark> = overdue.iter().filter_map(mark).collect();
    let marks: Vec<Mark> = marks.into_values().collect();
    let written = writer.atomically(|writer| write(writer, &marks))?;
    // What cannot be marked must not be tried for ever.
    Ok(written > 0)
}

/// A message, the event and the row that it alone would make.
type Mark = (Identity, EventRow, MessageRow);

/// Writes the events, and the rows of those that are new; how many there are.
fn write(writer: &mut impl Writer, marks: &[Mark]) -> QueryResult<usize> {
    let events: Vec<EventRow> = marks.iter().map(|(_, event, _)| event.clone()).collect();
    let inserted = writer.insert_events(&events)?;
    let mut rows: BTreeMap<Identity, MessageRow> = BTreeMap::new();
    let mut known = Vec::new();
    for ((identity, _, row), is_new) in marks.iter().zip(inserted) {
        if is_new {
            rows.insert(identity.clone(), row.clone());
        } else {
            known.push(identity);
        }
    }
    let count = rows.len();
    writer.upsert_messages(&rows.into_values().collect::<Vec<_>>())?;
    // The event is there and the row does not show it: it was changed by hand.
    known.into_iter().try_for_each(|identity| rebuild(writer, identity))?;
    Ok(count)
}

/// What is asked of either database.
pub(super) trait Waiting {
    /// Messages of that status and direction that nothing was heard of since before that instant.
    fn waiting_since(
        &mut self,
        status: &'static str,
        direction: Option<&'static str>,
        before: NaiveDateTime,
        limit: i64,
    ) -> QueryResult<Vec<Overdue>>;
}

for_both! {
    impl Waiting for Connection {
        fn waiting_since(
            &mut self,
            status: &'static str,
            direction: Option<&'static str>,
            before: NaiveDateTime,
            limit: i64,
        ) -> QueryResult<Vec<Overdue>> {
            let known: Vec<&str> = providers::ALL.iter().map(|spec| spec.name).collect();
            let waiting = m::table.filter(m::status.eq(status)).filter(m::updated_at.lt(before));
            let waiting = waiting.filter(m::service_type.eq_any(known));
            let query = waiting.order(m::updated_at).limit(limit).select(Overdue::as_select());
            match direction {
                Some(direction) => query.filter(m::direction.eq(direction)).load(self),
                None => query.filter(m::direction.is_null()).load(self),
            }
        }
    }
}
