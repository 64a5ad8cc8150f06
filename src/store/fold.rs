//! The convergence of a message's row: a fold over the set of its distinct events (ARCHITECTURE.md, "Convergence").
//!
//! The fold stands three times, and `tests/it/convergence.rs` holds the three together: here for the events of one batch,
//! in `sqlite.rs` and in `postgres.rs` for the row that is already there. Every rule is commutative and associative, so
//! neither order nor grouping can matter.

use super::{
    correlation::{EMBEDDED, strength},
    record::Source,
    rows::MessageRow,
};
use crate::{
    event::{Effect, Event, EventType},
    status::{Evidence, Status},
};

/// Grades of evidence, weakest first. The place of a grade in this text is its strength, in SQL as well.
pub(super) const EVIDENCE_LADDER: &str = "inferred provider mta carrier handset";

impl MessageRow {
    /// The row that one event alone would make; `None` if it moves no message.
    pub(super) fn of(source: Source<'_>, event: &Event, state_key: &[u8]) -> Option<Self> {
        let external_id = event.external_id.as_ref().filter(|_| event.effect == Effect::Message)?;
        let at = event.occurred_at.unwrap_or(source.received_at).naive();
        let at_if = |condition: bool| condition.then_some(at);
        let is = |event_type: EventType| event.event_type == event_type;
        let status = event.status.unwrap_or(Status::Registered);
        let error = event.error.as_ref();
        Some(Self {
            external_id: external_id.as_str().to_owned(),
            service_type: source.service_type,
            account: source.account.to_owned(),
            message_id: None,
            matched_by: None,
            matched_id: None,
            recipient_key: event.recipient_key.clone().unwrap_or_default(),
            recipient: event.facts.recipient.clone(),
            sender: event.facts.sender.clone(),
            channel: event.facts.channel.map(Into::into),
            direction: event.facts.direction.map(Into::into),
            status: status.into(),
            provider_status: event.provider_status.clone(),
            is_final: status.is_final(),
            evidence: event.evidence.map(Into::into),
            error_code: error.and_then(|error| error.code.clone()),
            error_message: error.and_then(|error| error.message.clone()),
            error_category: error.map(|error| error.category.into()),
            error_permanence: error.map(|error| error.permanence.into()),
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
            verified_by: source.verified_by.to_owned(),
            state_key: state_key.to_vec(),
            updated_at: source.received_at.naive(),
        })
    }

    /// Folds another row of the same message into this one.
    pub(super) fn absorb(&mut self, other: Self) {
        // Compared before either side is moved: two different embedded ids contradict each other.
        if self.yields_to(&other) {
            self.set_match(other.message_id, other.matched_by);
        }
        let embedded_differ = matches!((&self.embedded_id, &other.embedded_id), (Some(one), Some(two)) if one != two);
        self.evidence = stronger(self.evidence, other.evidence);
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
        self.has_conflict |= other.has_conflict || embedded_differ || self.contradicts_itself();
        self.open_count += other.open_count;
        self.click_count += other.click_count;
        self.revision += other.revision;
        self.recipient = self.recipient.take().max(other.recipient);
        self.sender = self.sender.take().max(other.sender);
        self.channel = self.channel.max(other.channel);
        self.direction = self.direction.max(other.direction);
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

    /// Whether the other row's match is the stronger one; of two carried references the lesser in byte order counts.
    fn yields_to(&self, other: &Self) -> bool {
        let both_embedded = self.matched_by == Some(EMBEDDED) && other.matched_by == Some(EMBEDDED);
        other.strength() > self.strength() || (both_embedded && other.embedded_id <= self.embedded_id)
    }

    /// How strong its match is.
    pub(super) fn strength(&self) -> usize {
        strength(self.message_id, self.matched_id, self.matched_by)
    }

    /// Takes a match.
    pub(super) fn set_match(&mut self, message: Option<i64>, matched_by: Option<&'static str>) {
        self.message_id = message;
        self.matched_id = message;
        self.matched_by = matched_by;
    }

    /// A receipt (not merely a conclusion) and a failure of the same message.
    fn contradicts_itself(&self) -> bool {
        let has_receipt = self.evidence.is_some_and(|grade| grade != Evidence::Inferred.as_ref());
        has_receipt && self.delivered_at.is_some() && self.failed_at.is_some()
    }
}

/// The stronger of two grades of evidence.
fn stronger(one: Option<&'static str>, other: Option<&'static str>) -> Option<&'static str> {
    std::cmp::max_by_key(one, other, |grade| grade.and_then(|grade| EVIDENCE_LADDER.find(grade)))
}

/// The lesser of two values; an absent one does not count.
pub(super) fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn the_ladder_names_every_grade_in_order() {
        let grades: Vec<&str> = Evidence::VARIANTS.iter().map(Into::into).collect();
        assert_eq!(grades.join(" "), EVIDENCE_LADDER);
    }
}
