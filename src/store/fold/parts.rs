//! Long inbound messages that arrive in parts. The parts of a message share sender, recipient, reference and number of parts, and
//! arrive in any order, repeatedly, at any gateway. They are collected in a set, which is released as one message when it is complete
//! or its timeout expires.

use std::{borrow::Cow, time::Duration};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::{
    ExpressionMethods, Insertable, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};

use super::{
    addresses::{self, InboundAddress},
    entity::{self, Entities, EntityKey},
    inbound_message::InboundState,
    source::Source,
};
use crate::{
    event::{Event, ExternalId, Inbound, OptOutWords},
    status::Channel,
    store::{
        Options,
        db::{
            advisory_locks::{self, Lock},
            connection::{Connection, on_either},
            key::with_id,
            schema::{inbound_messages as m, inbound_parts as p, inbound_sets as s},
        },
    },
    time::Timestamp,
};

/// Maximum number of sets that one sweep releases.
const MAX_RELEASED: i64 = 100;

/// Maximum length of a text in the key of a set.
const MAX_KEY_TEXT: usize = 255;

/// A received part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Insertable, Queryable, Selectable)]
#[diesel(table_name = p, treat_none_as_default_value = false)]
pub(crate) struct PartRow {
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
    /// The part in an event, if any.
    pub(crate) fn from_event(source: Source<'_>, id: &ExternalId, event: &Event, inbound: &Inbound) -> Option<Self> {
        let part = inbound.part.as_ref()?;
        let texts = [Some(&part.reference), event.facts.sender.as_ref(), event.facts.recipient.as_ref()];
        // A longer text does not fit into the key; the event is then stored as a message of its own.
        if texts.into_iter().flatten().any(|text| text.len() > MAX_KEY_TEXT) {
            return None;
        }
        Some(Self {
            service_type: source.service_type.to_owned(),
            account: source.account.to_owned(),
            sender: event.facts.sender.clone().unwrap_or_default(),
            recipient: event.facts.recipient.clone().unwrap_or_default(),
            reference: part.reference.clone(),
            parts_total: part.total,
            part: part.number,
            external_id: id.as_str().to_owned(),
            text: inbound.text.clone(),
            received_at: source.received_at.naive(),
            occurred_at: event.occurred_at.map(Timestamp::naive),
        })
    }

    /// The lock that prevents gateways from opening two sets for one message.
    pub(crate) fn lock(&self) -> Lock {
        Lock::parts(&self.service_type, &self.account, &self.sender, &self.recipient)
    }
}

/// Adds a part to its set, and releases the set if it is complete.
pub(crate) fn add_part(connection: &mut Connection, part: &PartRow, options: &Options) -> QueryResult<()> {
    if has_part(connection, part)? {
        return Ok(());
    }
    let set = match open_set(connection, part, before(part.received_at, options.part_timeout))? {
        Some(set) => set,
        None => create_set(connection, part)?,
    };
    on_either!(connection, c => diesel::insert_into(p::table).values((part, p::inbound_set_id.eq(set))).execute(c))?;
    let parts = parts_in_set(connection, set)?;
    if i64::try_from(parts.len()).unwrap_or(i64::MAX) == part.parts_total {
        release(connection, set, &parts, part.received_at, options)?;
    }
    Ok(())
}

/// The open sets whose timeout has expired.
pub(crate) fn overdue(connection: &mut Connection, now: NaiveDateTime, timeout: Duration) -> QueryResult<Vec<i64>> {
    let overdue = s::table.filter(s::released_at.is_null()).filter(s::opened_at.le(before(now, timeout)));
    on_either!(connection, c => overdue.order(s::opened_at).limit(MAX_RELEASED).select(s::id).load(c))
}

/// Releases an overdue set, marked as partial.
pub(crate) fn release_partial(connection: &mut Connection, set: i64, now: NaiveDateTime, options: &Options) -> QueryResult<()> {
    connection.transaction(|connection| {
        let Some(first) = parts_in_set(connection, set)?.into_iter().next() else { return Ok(()) };
        advisory_locks::take(connection, &[first.lock()].into())?;
        // Another gateway may have released the set, or its last part may have arrived.
        if is_open(connection, set)? {
            let parts = parts_in_set(connection, set)?;
            release(connection, set, &parts, now, options)?;
        }
        Ok(())
    })
}

fn before(instant: NaiveDateTime, timeout: Duration) -> NaiveDateTime {
    let timeout = TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX);
    instant.checked_sub_signed(timeout).unwrap_or(NaiveDateTime::MIN)
}

/// Writes the message that a set's parts make, and closes the set.
fn release(connection: &mut Connection, set: i64, parts: &[PartRow], now: NaiveDateTime, options: &Options) -> QueryResult<()> {
    let Some((key, state)) = join_parts(parts, &options.opt_out_words) else { return Ok(()) };
    let addresses = InboundAddress::from_message(&key, &state).collect();
    entity::fold(connection, &Entities::from([(key.clone(), state)]))?;
    addresses::insert_inbound(connection, &addresses)?;
    on_either!(connection, c => {
        let message: i64 = with_id!(m, key).select(m::id).first(c)?;
        let parts = p::table.filter(p::inbound_set_id.eq(set));
        diesel::update(parts).set(p::inbound_message_id.eq(message)).execute(c)?;
        diesel::update(s::table.filter(s::id.eq(set))).set(s::released_at.eq(now)).execute(c).map(drop)
    })
}

/// Joins parts, in the order of their numbers. The message has the external id of the first one.
fn join_parts(parts: &[PartRow], opt_out_words: &OptOutWords) -> Option<(EntityKey, InboundState)> {
    let first = parts.first()?;
    let text: String = parts.iter().filter_map(|part| part.text.as_deref()).collect();
    let received = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    let state = InboundState {
        sender: Some(first.sender.clone()).filter(|sender| !sender.is_empty()),
        recipient: Some(first.recipient.clone()).filter(|recipient| !recipient.is_empty()),
        channel: Some(Cow::Borrowed(Channel::Sms.into())),
        opt_out: opt_out_words.meaning(&text, Some(Channel::Sms)).map(|word| Cow::Borrowed(word.into())),
        text: Some(text).filter(|text| !text.is_empty()),
        media: "[]".to_owned(),
        parts_total: first.parts_total,
        parts_received: received,
        is_partial: received < first.parts_total,
        provider_status: None,
        occurred_at: parts.iter().filter_map(|part| part.occurred_at).min().map(Timestamp::from_naive),
        received_at: Timestamp::from_naive(parts.iter().map(|part| part.received_at).max()?),
        subject: None,
        internet_message_id: None,
        cc: None,
        bcc: None,
        received_for: None,
    };
    Some((EntityKey::new(&first.service_type, &first.account, &first.external_id), state))
}

/// Returns true if a part with that external id is stored.
fn has_part(connection: &mut Connection, part: &PartRow) -> QueryResult<bool> {
    on_either!(connection, c => diesel::select(diesel::dsl::exists(with_id!(p, part))).get_result(c))
}

/// The newest open set for the part: opened after that time and still without a part of that number.
fn open_set(connection: &mut Connection, part: &PartRow, after: NaiveDateTime) -> QueryResult<Option<i64>> {
    on_either!(connection, c => {
        let same_part = p::table.filter(p::inbound_set_id.eq(s::id.nullable())).filter(p::part.eq(part.part));
        s::table
            .filter(s::service_type.eq(&part.service_type))
            .filter(s::account.eq(&part.account))
            .filter(s::sender.eq(&part.sender))
            .filter(s::recipient.eq(&part.recipient))
            .filter(s::reference.eq(&part.reference))
            .filter(s::parts_total.eq(part.parts_total))
            .filter(s::released_at.is_null())
            .filter(s::opened_at.gt(after))
            .filter(diesel::dsl::not(diesel::dsl::exists(same_part)))
            .order(s::id.desc())
            .select(s::id)
            .first(c)
            .optional()
    })
}

fn create_set(connection: &mut Connection, part: &PartRow) -> QueryResult<i64> {
    let values = (
        s::service_type.eq(&part.service_type),
        s::account.eq(&part.account),
        s::sender.eq(&part.sender),
        s::recipient.eq(&part.recipient),
        s::reference.eq(&part.reference),
        s::parts_total.eq(part.parts_total),
        s::opened_at.eq(part.received_at),
    );
    on_either!(connection, c => diesel::insert_into(s::table).values(values).returning(s::id).get_result(c))
}

/// The parts of a set in the order of their numbers.
fn parts_in_set(connection: &mut Connection, set: i64) -> QueryResult<Vec<PartRow>> {
    let parts = p::table.filter(p::inbound_set_id.eq(set)).order(p::part);
    on_either!(connection, c => parts.select(PartRow::as_select()).load(c))
}

fn is_open(connection: &mut Connection, set: i64) -> QueryResult<bool> {
    let open = s::table.filter(s::id.eq(set)).filter(s::released_at.is_null());
    on_either!(connection, c => diesel::select(diesel::dsl::exists(open)).get_result(c))
}
