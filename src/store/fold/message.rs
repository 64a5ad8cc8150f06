//! A message's row as a fold over its distinct events (ARCHITECTURE.md, "Convergence"). Every rule is commutative and associative,
//! so neither order nor grouping matters.

use std::{borrow::Cow, collections::BTreeMap};

use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamp as Instant};

use super::{
    match_strength::{self, DATABASE, EMBEDDED},
    source::Source,
};
use crate::{
    event::{Event, EventType},
    status::{Evidence, Status},
    store::db::{key::MessageKey, schema::message_external_ids, statement::row},
    time::Timestamp,
};

/// A word of a closed list, or a text that plain SQL wrote in its place.
pub(crate) type Word = Cow<'static, str>;

row! {
    /// The folded columns of a message: all but its id, its key and `created_at`. On SQLite an update sets the indexed ones only if
    /// one of them changes.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct MessageState of message_external_ids {
        recipient: Option<String> => Nullable<Text>,
        sender: Option<String> => Nullable<Text>,
        channel: Option<Word> => Nullable<Text>,
        direction: Option<Word> => Nullable<Text>,
        status: Word => Text,
        provider_status: Option<String> => Nullable<Text>,
        is_final: bool => Bool,
        evidence: Option<Word> => Nullable<Text>,
        error_code: Option<String> => Nullable<Text>,
        error_message: Option<String> => Nullable<Text>,
        error_category: Option<Word> => Nullable<Text>,
        error_permanence: Option<Word> => Nullable<Text>,
        status_at: Option<Timestamp> => Nullable<Instant>,
        delivered_at: Option<Timestamp> => Nullable<Instant>,
        read_at: Option<Timestamp> => Nullable<Instant>,
        opened_at: Option<Timestamp> => Nullable<Instant>,
        open_count: i64 => BigInt,
        clicked_at: Option<Timestamp> => Nullable<Instant>,
        click_count: i64 => BigInt,
        complained_at: Option<Timestamp> => Nullable<Instant>,
        unsubscribed_at: Option<Timestamp> => Nullable<Instant>,
        has_conflict: bool => Bool,
        revision: i64 => BigInt,
        price: Option<String> => Nullable<Text>,
        price_currency: Option<String> => Nullable<Text>,
        parts_total: Option<i64> => Nullable<BigInt>,
        verified_by: Option<String> => Nullable<Text>,
        state_key: Vec<u8> => Binary,
        updated_at: Timestamp => Instant,
    }
    indexed {
        message_id: Option<i64> => Nullable<BigInt>,
        matched_by: Option<Word> => Nullable<Text>,
        /// Equals `message_id`, unless the application has mapped the row with plain SQL.
        matched_id: Option<i64> => Nullable<BigInt>,
        failed_at: Option<Timestamp> => Nullable<Instant>,
        embedded_id: Option<String> => Nullable<Text>,
    }
}

/// The messages of a batch by key, with the state that its new events fold into.
pub(crate) type Messages<'r> = BTreeMap<&'r MessageKey, Cow<'r, MessageState>>;

impl MessageState {
    /// The state derived from one event.
    pub(crate) fn from_event(source: Source<'_>, event: &Event, state_key: &[u8]) -> Self {
        let at = event.occurred_at.unwrap_or(source.received_at);
        let at_if = |condition: bool| condition.then_some(at);
        let is = |event_type: EventType| event.event_type == event_type;
        let word = |word: &'static str| Word::Borrowed(word);
        let status = event.status.unwrap_or(Status::Registered);
        let error = event.error.as_ref();
        Self {
            message_id: None,
            matched_by: None,
            matched_id: None,
            recipient: event.facts.recipient.clone(),
            sender: event.facts.sender.clone(),
            channel: event.facts.channel.map(|channel| word(channel.into())),
            direction: event.facts.direction.map(|direction| word(direction.into())),
            status: word(status.into()),
            provider_status: event.provider_status.clone(),
            is_final: status.is_final(),
            evidence: event.evidence.map(|evidence| word(evidence.into())),
            error_code: error.and_then(|error| error.code.clone()),
            error_message: error.and_then(|error| error.message.clone()),
            error_category: error.map(|error| word(error.category.into())),
            error_permanence: error.map(|error| word(error.permanence.into())),
            status_at: Some(at),
            delivered_at: at_if(status == Status::Delivered),
            failed_at: at_if(status.is_failure()),
            read_at: at_if(is(EventType::MessageRead)),
            opened_at: at_if(is(EventType::MessageOpened)),
            open_count: i64::from(is(EventType::MessageOpened)),
            clicked_at: at_if(is(EventType::MessageClicked)),
            click_count: i64::from(is(EventType::MessageClicked)),
            complained_at: at_if(is(EventType::MessageComplained)),
            unsubscribed_at: at_if(is(EventType::MessageUnsubscribed)),
            has_conflict: false,
            revision: 1,
            embedded_id: event.reference().map(str::to_owned),
            price: event.facts.price.clone(),
            price_currency: event.facts.price_currency.clone(),
            parts_total: event.facts.parts_total,
            verified_by: Some(source.verified_by.to_owned()),
            state_key: state_key.to_vec(),
            updated_at: source.received_at,
        }
    }

    /// Folds another state of the same message into this one.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.keep_stronger_match(&other);
        let embedded_differ = matches!((&self.embedded_id, &other.embedded_id), (Some(one), Some(two)) if one != two);
        self.evidence = stronger_evidence(self.evidence.take(), other.evidence);
        for (mine, theirs) in [
            (&mut self.delivered_at, other.delivered_at),
            (&mut self.failed_at, other.failed_at),
            (&mut self.read_at, other.read_at),
            (&mut self.opened_at, other.opened_at),
            (&mut self.clicked_at, other.clicked_at),
            (&mut self.complained_at, other.complained_at),
            (&mut self.unsubscribed_at, other.unsubscribed_at),
        ] {
            *mine = least(*mine, theirs);
        }
        self.has_conflict |= other.has_conflict || embedded_differ || self.has_contradiction();
        self.open_count += other.open_count;
        self.click_count += other.click_count;
        self.revision += other.revision;
        self.recipient = self.recipient.take().max(other.recipient);
        self.sender = self.sender.take().max(other.sender);
        self.channel = self.channel.take().max(other.channel);
        self.direction = self.direction.take().max(other.direction);
        self.embedded_id = least(self.embedded_id.take(), other.embedded_id);
        self.price = self.price.take().max(other.price);
        self.price_currency = self.price_currency.take().max(other.price_currency);
        self.parts_total = self.parts_total.max(other.parts_total);
        self.updated_at = self.updated_at.max(other.updated_at);
        if other.state_key > self.state_key {
            self.status = other.status;
            self.provider_status = other.provider_status;
            self.is_final = other.is_final;
            self.error_code = other.error_code;
            self.error_message = other.error_message;
            self.error_category = other.error_category;
            self.error_permanence = other.error_permanence;
            self.status_at = other.status_at;
            self.verified_by = other.verified_by;
            self.state_key = other.state_key;
        }
    }

    /// Keeps the stronger of two matches, and of two embedded references the lesser one in byte order.
    fn keep_stronger_match(&mut self, other: &Self) {
        let both_embedded = [&*self, other].iter().all(|state| state.is_matched_by(EMBEDDED));
        let is_lesser = self.embedded_id.is_none() || other.embedded_id <= self.embedded_id;
        if other.strength() > self.strength() || (both_embedded && is_lesser) {
            self.set_match(other.message_id, other.matched_by.clone());
        }
    }

    /// Returns true if the application has mapped the message with plain SQL and the mapping is not recorded as its match.
    pub(crate) fn has_unrecorded_mapping(&self) -> bool {
        self.message_id.is_some() && self.matched_id != self.message_id
    }

    /// Records the application's mapping. Only for a message with a single row: the sweep finds unrecorded mappings and copies them
    /// to the rows of the other recipients.
    pub(crate) fn record_mapping(&mut self) {
        self.set_match(self.message_id, Some(Word::Borrowed(DATABASE)));
    }

    fn is_matched_by(&self, method: &str) -> bool {
        self.message_id.is_some() && self.matched_id == self.message_id && self.matched_by.as_deref() == Some(method)
    }

    pub(crate) fn strength(&self) -> usize {
        match_strength::strength(self.message_id, self.matched_id, self.matched_by.as_deref())
    }

    pub(crate) fn set_match(&mut self, message: Option<i64>, matched_by: Option<Word>) {
        self.message_id = message;
        self.matched_id = message;
        self.matched_by = matched_by;
    }

    /// Returns true if the message has both a receipt that is not inferred and a failure.
    fn has_contradiction(&self) -> bool {
        let has_receipt = self.evidence.as_deref().is_some_and(|grade| grade != Evidence::Inferred.as_ref());
        has_receipt && self.delivered_at.is_some() && self.failed_at.is_some()
    }
}

fn stronger_evidence(one: Option<Word>, other: Option<Word>) -> Option<Word> {
    let grade = |word: &Option<Word>| word.as_deref().and_then(|word| word.parse::<Evidence>().ok());
    if grade(&other) > grade(&one) { other } else { one.or(other) }
}

/// The lesser of two values; an absent one is ignored.
pub(crate) fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
