//! The list of inbound messages.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper, dsl::exists};
use serde::Serialize;

use super::{JsonText, Page, address_lookup, filter, narrow, ranges::RangedTable, scan::scan};
use crate::{
    address,
    store::{
        db::{
            connection::{Connection, on_either},
            schema::{inbound_messages as i, message_addresses as a},
        },
        fold::addresses::{INBOUND_OWNER, RECIPIENTS, SENDER},
    },
    time::Timestamp,
};

/// A message to the application.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = i)]
pub struct InboundMessage {
    pub id: i64,
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub channel: Option<String>,
    /// The subject of an e-mail.
    pub subject: Option<String>,
    /// The `Message-ID` of an e-mail (RFC 5322).
    pub internet_message_id: Option<String>,
    /// Recipients of copies of an e-mail, joined by `, `.
    pub cc: Option<String>,
    /// Recipients of blind copies of an e-mail, joined by `, `.
    pub bcc: Option<String>,
    /// The addresses for which an e-mail was received, joined by `, `.
    pub received_for: Option<String>,
    pub text: Option<String>,
    pub media: JsonText,
    pub parts_total: i64,
    pub parts_received: i64,
    pub is_partial: bool,
    pub opt_out: Option<String>,
    pub provider_status: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
}

filter! {
    /// Selects inbound messages by their time of receipt and other conditions.
    pub struct InboundFilter {
        sender: Option<String>,
        recipient: Option<String>,
    }
}

pub(crate) fn inbound(connection: &mut Connection, filter: &InboundFilter) -> QueryResult<Page<InboundMessage>> {
    // One address yields the candidates; the other narrows them.
    let by_address = |text: &Option<String>, roles: &'static [&'static str]| {
        text.as_ref().map(|text| address_lookup::candidates(address_lookup::AddressOwner::Inbound, roles, text))
    };
    let candidates = by_address(&filter.sender, &[SENDER]).or_else(|| by_address(&filter.recipient, &RECIPIENTS));
    Ok(scan!(connection, filter, i, InboundMessage, received_at, RangedTable::Inbound, candidates, |query| {
        narrow!(query, filter, i: service_type, account);
        if let (Some(_), Some(recipient)) = (&filter.sender, &filter.recipient) {
            // Inbound messages are always indexed.
            let is_recipient = a::table
                .filter(a::address.eq_any(address::typed_keys(recipient)))
                .filter(a::owner.eq(INBOUND_OWNER))
                .filter(a::role.eq_any(RECIPIENTS))
                .filter(a::owner_id.eq(i::id));
            query = query.filter(exists(is_recipient));
        }
    }))
}
