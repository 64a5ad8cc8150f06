//! Long inbound messages that arrive in parts. The parts of one message share sender, recipient, reference and number of
//! parts, and come in any order, more than once, at any gateway. They stand in a set that is open until it is complete or
//! has waited long enough; then it is released as one message.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{
    ExpressionMethods, Insertable, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};

use super::{
    commit::Writer,
    connection::for_both,
    inbound::InboundRow,
    locks::Lock,
    record::Record,
    schema::{inbound_messages, inbound_parts, inbound_sets},
};
use crate::{
    event::{Effect, Event, OptOut},
    status::Channel,
};

/// Sets that one sweep releases.
const MAX_RELEASED: i64 = 100;

/// The longest text in the key of a set.
const MAX_KEY: usize = 255;

/// One part as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Insertable, Queryable, Selectable)]
#[diesel(table_name = inbound_parts, treat_none_as_default_value = false)]
pub(super) struct PartRow {
    pub service_type: String,
    pub account: String,
    pub sender: String,
    pub recipient: String,
    pub reference: String,
    pub parts_total: i64,
    pub part: i64,
    pub external_id: String,
    pub text: Option<String>,
    pub received_at: NaiveDateTime,
    pub occurred_at: Option<NaiveDateTime>,
}

impl PartRow {
    /// The part that an event brings, if it brings one.
    pub(super) fn of(record: &Record, event: &Event) -> Option<Self> {
        let Effect::Inbound(inbound) = &event.effect else { return None };
        let part = inbound.part.as_ref()?;
        let texts = [Some(&part.reference), event.facts.sender.as_ref(), event.facts.recipient.as_ref()];
        // A longer text would not fit into a key; what has one is no part of anything.
        if texts.into_iter().flatten().any(|text| text.len() > MAX_KEY) {
            return None;
        }
        Some(Self {
            service_type: record.service_type.to_owned(),
            account: record.account.clone(),
            sender: event.facts.sender.clone().unwrap_or_default(),
            recipient: event.facts.recipient.clone().unwrap_or_default(),
            reference: part.reference.clone(),
            parts_total: part.total,
            part: part.number,
            external_id: event.external_id.as_ref()?.as_str().to_owned(),
            text: inbound.text.clone(),
            received_at: record.received_at.naive(),
            occurred_at: event.occurred_at.map(crate::time::Timestamp::naive),
        })
    }

    /// What keeps two gateways from opening two sets for one message.
    pub(super) fn lock(&self) -> Lock {
        Lock::parts(&self.service_type, &self.account, &self.sender, &self.recipient)
    }
}

/// Puts a part into its set, and releases the set if it is complete.
pub(super) fn place(writer: &mut impl Writer, part: &PartRow, timeout: Duration) -> QueryResult<()> {
    if writer.has_part(part)? {
        return Ok(());
    }
    let set = match writer.open_set(part, before(part.received_at, timeout))? {
        Some(set) => set,
        None => writer.new_set(part)?,
    };
    writer.insert_part(part, set)?;
    let parts = writer.parts_of(set)?;
    if i64::try_from(parts.len()).unwrap_or(i64::MAX) == part.parts_total {
        release(writer, set, &parts, part.received_at)?;
    }
    Ok(())
}

/// The sets whose missing parts were waited for long enough.
pub(super) fn overdue(writer: &mut impl Writer, now: NaiveDateTime, timeout: Duration) -> QueryResult<Vec<i64>> {
    writer.overdue_sets(before(now, timeout))
}

/// Releases one of them, marked as partial.
pub(super) fn release_partial(writer: &mut impl Writer, set: i64, now: NaiveDateTime) -> QueryResult<()> {
    writer.atomically(|writer| {
        let Some(first) = writer.parts_of(set)?.into_iter().next() else { return Ok(()) };
        writer.lock(&[first.lock()].into())?;
        // Another gateway may have released it, or its last part may have come.
        if writer.is_open(set)? {
            let parts = writer.parts_of(set)?;
            release(writer, set, &parts, now)?;
        }
        Ok(())
    })
}

fn before(instant: NaiveDateTime, timeout: Duration) -> NaiveDateTime {
    let timeout = TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX);
    instant.checked_sub_signed(timeout).unwrap_or(NaiveDateTime::MIN)
}

fn release(writer: &mut impl Writer, set: i64, parts: &[PartRow], now: NaiveDateTime) -> QueryResult<()> {
    let Some(message) = InboundRow::of_parts(parts) else { return Ok(()) };
    writer.upsert_inbound(std::slice::from_ref(&message))?;
    writer.close_set(set, &message, now)
}

impl InboundRow {
    /// The message that parts make, in the order of their numbers. It has the id of the first of them.
    fn of_parts(parts: &[PartRow]) -> Option<Self> {
        let first = parts.first()?;
        let text: String = parts.iter().filter_map(|part| part.text.as_deref()).collect();
        let received = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        Some(Self {
            service_type: first.service_type.clone(),
            account: first.account.clone(),
            external_id: first.external_id.clone(),
            sender: Some(first.sender.clone()).filter(|sender| !sender.is_empty()),
            recipient: Some(first.recipient.clone()).filter(|recipient| !recipient.is_empty()),
            channel: Some(Channel::Sms.into()),
            opt_out: OptOut::of_text(&text, Some(Channel::Sms)).map(Into::into),
            text: Some(text).filter(|text| !text.is_empty()),
            media: "[]".to_owned(),
            parts_total: first.parts_total,
            parts_received: received,
            is_partial: received < first.parts_total,
            provider_status: None,
            occurred_at: parts.iter().filter_map(|part| part.occurred_at).min(),
            received_at: parts.iter().map(|part| part.received_at).max()?,
        })
    }
}

/// What is asked of either database.
pub(super) trait Parts {
    /// Whether a part of that id is held already.
    fn has_part(&mut self, part: &PartRow) -> QueryResult<bool>;
    /// The newest open set that may take the part: opened after that instant, its place in it still free.
    fn open_set(&mut self, part: &PartRow, after: NaiveDateTime) -> QueryResult<Option<i64>>;
    /// Opens a set for the part.
    fn new_set(&mut self, part: &PartRow) -> QueryResult<i64>;
    /// Puts the part into the set.
    fn insert_part(&mut self, part: &PartRow, set: i64) -> QueryResult<()>;
    /// The parts of a set, by number.
    fn parts_of(&mut self, set: i64) -> QueryResult<Vec<PartRow>>;
    /// Whether a set waits for parts.
    fn is_open(&mut self, set: i64) -> QueryResult<bool>;
    /// Sets that were opened at that instant or before and still wait.
    fn overdue_sets(&mut self, before: NaiveDateTime) -> QueryResult<Vec<i64>>;
    /// Marks a set as released as that message.
    fn close_set(&mut self, set: i64, message: &InboundRow, now: NaiveDateTime) -> QueryResult<()>;
}

for_both! {
    impl Parts for Connection {
        fn has_part(&mut self, part: &PartRow) -> QueryResult<bool> {
            use inbound_parts::{account, external_id, service_type, table};
            let held = table
                .filter(service_type.eq(&part.service_type))
                .filter(account.eq(&part.account))
                .filter(external_id.eq(&part.external_id));
            diesel::select(diesel::dsl::exists(held)).get_result(self)
        }

        fn open_set(&mut self, part: &PartRow, after: NaiveDateTime) -> QueryResult<Option<i64>> {
            use inbound_sets as s;
            let held = inbound_parts::table
                .filter(inbound_parts::inbound_set_id.eq(s::id.nullable()))
                .filter(inbound_parts::part.eq(part.part));
            s::table
                .filter(s::service_type.eq(&part.service_type))
                .filter(s::account.eq(&part.account))
                .filter(s::sender.eq(&part.sender))
                .filter(s::recipient.eq(&part.recipient))
                .filter(s::reference.eq(&part.reference))
                .filter(s::parts_total.eq(part.parts_total))
                .filter(s::released_at.is_null())
                .filter(s::opened_at.gt(after))
                .filter(diesel::dsl::not(diesel::dsl::exists(held)))
                .order(s::id.desc())
                .select(s::id)
                .first(self)
                .optional()
        }

        fn new_set(&mut self, part: &PartRow) -> QueryResult<i64> {
            use inbound_sets::{account, id, opened_at, parts_total, recipient, reference, sender, service_type, table};
            diesel::insert_into(table)
                .values((
                    service_type.eq(&part.service_type),
                    account.eq(&part.account),
                    sender.eq(&part.sender),
                    recipient.eq(&part.recipient),
                    reference.eq(&part.reference),
                    parts_total.eq(part.parts_total),
                    opened_at.eq(part.received_at),
                ))
                .returning(id)
                .get_result(self)
        }

        fn insert_part(&mut self, part: &PartRow, set: i64) -> QueryResult<()> {
            use inbound_parts::{inbound_set_id, table};
            diesel::insert_into(table).values((part, inbound_set_id.eq(set))).execute(self).map(drop)
        }

        fn parts_of(&mut self, set: i64) -> QueryResult<Vec<PartRow>> {
            use inbound_parts::{inbound_set_id, part, table};
            table.filter(inbound_set_id.eq(set)).order(part).select(PartRow::as_select()).load(self)
        }

        fn is_open(&mut self, set: i64) -> QueryResult<bool> {
            use inbound_sets::{id, released_at, table};
            diesel::select(diesel::dsl::exists(table.filter(id.eq(set)).filter(released_at.is_null()))).get_result(self)
        }

        fn overdue_sets(&mut self, before: NaiveDateTime) -> QueryResult<Vec<i64>> {
            use inbound_sets::{id, opened_at, released_at, table};
            let overdue = table.filter(released_at.is_null()).filter(opened_at.le(before));
            overdue.order(opened_at).limit(MAX_RELEASED).select(id).load(self)
        }

        fn close_set(&mut self, set: i64, message: &InboundRow, now: NaiveDateTime) -> QueryResult<()> {
            use inbound_messages as m;
            use inbound_parts as p;
            use inbound_sets as s;
            let message: i64 = m::table
                .filter(m::service_type.eq(&message.service_type))
                .filter(m::account.eq(&message.account))
                .filter(m::external_id.eq(&message.external_id))
                .select(m::id)
                .first(self)?;
            diesel::update(p::table.filter(p::inbound_set_id.eq(set)))
                .set(p::inbound_message_id.eq(message))
                .execute(self)?;
            diesel::update(s::table.filter(s::id.eq(set))).set(s::released_at.eq(now)).execute(self).map(drop)
        }
    }
}
