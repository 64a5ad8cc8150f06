//! The list of messages.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper};
use serde::Serialize;

use super::{
    Page, address_lookup, filter, narrow,
    ranges::RangedTable,
    scan::{CANDIDATE_LIMIT, Candidates, MAX_CANDIDATES, scan},
};
use crate::{
    status::Status,
    store::{
        db::{
            connection::{Connection, on_either},
            schema::{communication_metrics, message_external_ids as m},
            wide::wide_row,
        },
        fold::addresses::RECIPIENTS,
    },
    time::Timestamp,
};

wide_row! {
    /// A row of `message_external_ids`.
    #[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
    pub struct Message of m {
        pub id: i64,
        pub message_id: Option<i64>,
        pub external_id: String,
        pub service_type: String,
        pub account: String,
        pub recipient_key: String,
        pub recipient: Option<String>,
        pub sender: Option<String>,
        pub channel: Option<String>,
        pub direction: Option<String>,
        pub status: String,
        pub provider_status: Option<String>,
        pub is_final: bool,
        pub evidence: Option<String>,
        pub error_code: Option<String>,
        pub error_message: Option<String>,
        pub error_category: Option<String>,
        pub error_permanence: Option<String>,
        pub status_at: Option<Timestamp>,
    }
    and {
        pub delivered_at: Option<Timestamp>,
        pub failed_at: Option<Timestamp>,
        pub read_at: Option<Timestamp>,
        pub opened_at: Option<Timestamp>,
        pub open_count: i64,
        pub clicked_at: Option<Timestamp>,
        pub click_count: i64,
        pub complained_at: Option<Timestamp>,
        pub unsubscribed_at: Option<Timestamp>,
        pub has_conflict: bool,
        pub revision: i64,
        pub matched_by: Option<String>,
        pub embedded_id: Option<String>,
        pub price: Option<String>,
        pub price_currency: Option<String>,
        pub parts_total: Option<i64>,
        pub verified_by: Option<String>,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

filter! {
    /// Selects messages by their time of creation and other conditions.
    pub struct MessageFilter {
        status: Option<Status>,
        recipient: Option<String>,
        external_id: Option<String>,
        message_id: Option<i64>,
        /// The application's own key for its message.
        reference: Option<String>,
    }
}

pub(crate) fn messages(connection: &mut Connection, filter: &MessageFilter) -> QueryResult<Page<Message>> {
    let mut message_id = filter.message_id;
    if let Some(reference) = &filter.reference {
        let message = communication_metrics::table.filter(communication_metrics::reference.eq(reference));
        let id: Option<i64> = on_either!(connection, c => message.select(communication_metrics::id).first(c).optional())?;
        match id {
            Some(id) if message_id.is_none_or(|filtered| filtered == id) => message_id = Some(id),
            _ => return Ok(Page::default()),
        }
    }
    let candidates = candidates(filter, message_id);
    Ok(scan!(connection, filter, m, Message, created_at, RangedTable::Messages, candidates, |query| {
        narrow!(query, filter, m: service_type, account, external_id);
        if let Some(status) = filter.status {
            query = query.filter(m::status.eq(status.as_ref().to_owned()));
        }
        if let Some(message_id) = message_id {
            query = query.filter(m::message_id.eq(message_id));
        }
    }))
}

/// The rows that the filter's most selective condition finds by an index; `None` without such a condition. A recipient is matched by
/// [`address_lookup`] alone.
fn candidates(filter: &MessageFilter, message_id: Option<i64>) -> Option<Candidates<'_>> {
    if let Some(recipient) = &filter.recipient {
        return Some(address_lookup::candidates(address_lookup::AddressOwner::Mapping, &RECIPIENTS, recipient));
    }
    if let Some(external_id) = &filter.external_id {
        return Some(Box::new(move |connection, below| {
            let rows = m::table.filter(m::external_id.eq(external_id)).select(m::id);
            on_either!(connection, c => rows.load(c)).map(|ids| newest_below(ids, below))
        }));
    }
    if let Some(message_id) = message_id {
        return Some(Box::new(move |connection, below| {
            let rows = m::table.filter(m::message_id.eq(message_id)).select(m::id);
            on_either!(connection, c => rows.load(c)).map(|ids| newest_below(ids, below))
        }));
    }
    if filter.status.is_some_and(Status::is_failure) {
        return Some(Box::new(move |connection, below| {
            let failed = m::table.filter(m::failed_at.is_not_null()).filter(m::id.lt(below)).order(m::id.desc());
            on_either!(connection, c => failed.limit(CANDIDATE_LIMIT).select(m::id).load(c))
        }));
    }
    None
}

/// The ids below that one, newest first, at most [`MAX_CANDIDATES`].
fn newest_below(mut ids: Vec<i64>, below: i64) -> Vec<i64> {
    ids.retain(|id| *id < below);
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(MAX_CANDIDATES);
    ids
}

pub(crate) fn message(connection: &mut Connection, id: i64) -> QueryResult<Option<Message>> {
    on_either!(connection, c => m::table.find(id).select(Message::as_select()).first(c).optional())
}
