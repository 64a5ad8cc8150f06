//! Rows of `inbound_messages`. One message may be reported more than once: by its own callback, by the call of a fallback
//! URL, by an event stream. Its row is a fold over all reports, so that neither order nor number of them matters.

#![expect(clippy::ref_option_ref, reason = "inside Diesel's derive")]

use chrono::NaiveDateTime;
use diesel::Insertable;
use serde::Serialize;

use super::{fold::least, parts::PartRow, record::Record, schema::inbound_messages};
use crate::event::{Effect, Event, OptOut};

/// A row as one report, or the fold of several, makes it.
#[derive(Clone, Debug, Insertable, Serialize)]
#[diesel(table_name = inbound_messages, treat_none_as_default_value = false)]
pub(super) struct InboundRow {
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub channel: Option<&'static str>,
    pub text: Option<String>,
    pub media: String,
    pub parts_total: i64,
    pub parts_received: i64,
    pub is_partial: bool,
    pub opt_out: Option<&'static str>,
    pub provider_status: Option<String>,
    pub occurred_at: Option<NaiveDateTime>,
    pub received_at: NaiveDateTime,
}

impl InboundRow {
    /// The row that one event alone would make; `None` if it is no whole inbound message.
    pub(super) fn of(record: &Record, event: &Event) -> Option<Self> {
        let Effect::Inbound(inbound) = &event.effect else { return None };
        if PartRow::of(record, event).is_some() {
            return None;
        }
        // What the provider says counts; a word alone is what it would have acted upon.
        let by_word = || inbound.text.as_deref().and_then(|text| OptOut::of_text(text, event.facts.channel));
        let parts = inbound.parts.unwrap_or(1);
        Some(Self {
            service_type: record.service_type.to_owned(),
            account: record.account.clone(),
            external_id: event.external_id.as_ref()?.as_str().to_owned(),
            sender: event.facts.sender.clone(),
            recipient: event.facts.recipient.clone(),
            channel: event.facts.channel.map(Into::into),
            text: inbound.text.clone(),
            media: serde_json::to_string(&inbound.media).unwrap_or_else(|_| "[]".to_owned()),
            parts_total: parts,
            parts_received: parts,
            is_partial: false,
            opt_out: inbound.opt_out.or_else(by_word).map(Into::into),
            provider_status: event.provider_status.clone(),
            occurred_at: event.occurred_at.map(crate::time::Timestamp::naive),
            received_at: record.received_at.naive(),
        })
    }

    /// Folds another report of the same message into this one: what is said beats what is not said, the first instant
    /// counts, and of two different texts the greater in byte order, which is as good as any and always the same.
    pub(super) fn absorb(&mut self, other: Self) {
        self.sender = self.sender.take().max(other.sender);
        self.recipient = self.recipient.take().max(other.recipient);
        // One report knows of the attachments, another only of the text: `mms` comes before `sms`.
        self.channel = least(self.channel, other.channel);
        self.text = self.text.take().max(other.text);
        if other.media > self.media {
            self.media = other.media;
        }
        self.parts_total = self.parts_total.max(other.parts_total);
        self.parts_received = self.parts_received.max(other.parts_received);
        self.opt_out = self.opt_out.max(other.opt_out);
        self.provider_status = least(self.provider_status.take(), other.provider_status);
        self.occurred_at = least(self.occurred_at, other.occurred_at);
        self.received_at = self.received_at.min(other.received_at);
    }
}
