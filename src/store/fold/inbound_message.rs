//! Rows of `inbound_messages`. A message can be reported several times: by its callback, a call of a fallback URL, an event stream.
//! Its row is a fold over all reports, so that neither their order nor their number matters.

use std::borrow::Cow;

use diesel::{
    Queryable,
    sql_types::{BigInt, Bool, Nullable, Text, Timestamp as Instant},
};

use super::{
    entity::{EntityKey, entity},
    message::{Word, least},
    source::Source,
};
use crate::{
    event::{Event, ExternalId, Inbound},
    store::db::statement::row,
    time::Timestamp,
};

row! {
    /// The folded columns of an inbound message.
    #[derive(Clone, Debug, PartialEq, Queryable)]
    pub(crate) struct InboundState {
        sender: Option<String> => Nullable<Text>,
        recipient: Option<String> => Nullable<Text>,
        channel: Option<Word> => Nullable<Text>,
        text: Option<String> => Nullable<Text>,
        media: String => Text,
        parts_total: i64 => BigInt,
        parts_received: i64 => BigInt,
        is_partial: bool => Bool,
        opt_out: Option<Word> => Nullable<Text>,
        provider_status: Option<String> => Nullable<Text>,
        occurred_at: Option<Timestamp> => Nullable<Instant>,
        received_at: Timestamp => Instant,
        subject: Option<String> => Nullable<Text>,
        internet_message_id: Option<String> => Nullable<Text>,
        cc: Option<String> => Nullable<Text>,
        bcc: Option<String> => Nullable<Text>,
        received_for: Option<String> => Nullable<Text>,
    }
}

entity!(InboundState in "inbound_messages", InboundState::absorb);

/// An inbound message's row as derived from one report.
#[derive(Clone, Debug)]
pub(crate) struct InboundRow {
    pub(crate) key: EntityKey,
    pub(crate) state: InboundState,
}

impl InboundRow {
    pub(crate) fn from_event(source: Source<'_>, id: &ExternalId, event: &Event, inbound: &Inbound) -> Self {
        let parts = inbound.parts.unwrap_or(1);
        let email = inbound.email.clone();
        let state = InboundState {
            sender: event.facts.sender.clone(),
            recipient: event.facts.recipient.clone(),
            channel: event.facts.channel.map(|channel| Cow::Borrowed(channel.into())),
            text: inbound.text.clone(),
            media: serde_json::to_string(&inbound.media).unwrap_or_else(|_| "[]".to_owned()),
            parts_total: parts,
            parts_received: parts,
            is_partial: false,
            opt_out: inbound.opt_out.map(|word| Cow::Borrowed(word.into())),
            provider_status: event.provider_status.clone(),
            occurred_at: event.occurred_at,
            received_at: source.received_at,
            subject: email.subject,
            internet_message_id: email.internet_message_id,
            cc: email.cc,
            bcc: email.bcc,
            received_for: email.received_for,
        };
        Self { key: EntityKey::new(source.service_type, source.account, id.as_str()), state }
    }
}

impl InboundState {
    /// Folds another report of the same message into this one: a value beats none, the earliest timestamp counts, and of two texts
    /// the greater one in byte order, which is arbitrary but deterministic.
    fn absorb(&mut self, other: Self) {
        self.sender = self.sender.take().max(other.sender);
        self.recipient = self.recipient.take().max(other.recipient);
        // One report may include the attachments and another only the text: `mms` sorts before `sms`.
        self.channel = least(self.channel.take(), other.channel);
        self.text = self.text.take().max(other.text);
        if other.media > self.media {
            self.media = other.media;
        }
        self.parts_total = self.parts_total.max(other.parts_total);
        self.parts_received = self.parts_received.max(other.parts_received);
        self.opt_out = self.opt_out.take().max(other.opt_out);
        self.provider_status = least(self.provider_status.take(), other.provider_status);
        self.occurred_at = least(self.occurred_at, other.occurred_at);
        self.received_at = self.received_at.min(other.received_at);
        self.subject = self.subject.take().max(other.subject);
        self.internet_message_id = self.internet_message_id.take().max(other.internet_message_id);
        self.cc = self.cc.take().max(other.cc);
        self.bcc = self.bcc.take().max(other.bcc);
        self.received_for = self.received_for.take().max(other.received_for);
    }
}
