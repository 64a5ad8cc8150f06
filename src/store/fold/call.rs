//! Rows of `calls`: a fold over the distinct events of each call.

use std::borrow::Cow;

use diesel::{
    Queryable,
    sql_types::{BigInt, Binary, Nullable, Text, Timestamp as Instant},
};

use super::{
    entity::{EntityKey, entity},
    message::{Word, least},
    source::Source,
};
use crate::{
    event::{Call, CallState, Event, ExternalId},
    store::db::statement::row,
    time::Timestamp,
};

/// Thirty days; a longer duration is ignored.
const MAX_DURATION: i64 = 30 * 24 * 3600;

row! {
    /// The folded columns of a call.
    #[derive(Clone, Debug, PartialEq, Queryable)]
    pub(crate) struct FoldedCall {
        direction: Option<Word> => Nullable<Text>,
        sender: Option<String> => Nullable<Text>,
        recipient: Option<String> => Nullable<Text>,
        status: Word => Text,
        queued_at: Option<Timestamp> => Nullable<Instant>,
        initiated_at: Option<Timestamp> => Nullable<Instant>,
        ringing_at: Option<Timestamp> => Nullable<Instant>,
        answered_at: Option<Timestamp> => Nullable<Instant>,
        ended_at: Option<Timestamp> => Nullable<Instant>,
        end_reason: Option<String> => Nullable<Text>,
        ended_by: Option<String> => Nullable<Text>,
        answered_seconds: Option<i64> => Nullable<BigInt>,
        state_key: Vec<u8> => Binary,
        updated_at: Timestamp => Instant,
    }
}

entity!(FoldedCall in "calls", FoldedCall::absorb);

/// A call's row as derived from one event.
#[derive(Clone, Debug)]
pub(crate) struct CallRow {
    pub(crate) key: EntityKey,
    pub(crate) state: FoldedCall,
}

impl CallRow {
    pub(crate) fn from_event(source: Source<'_>, id: &ExternalId, event: &Event, call: &Call, state_key: &[u8]) -> Self {
        let at = event.occurred_at.unwrap_or(source.received_at);
        let at_if = |state: CallState| (call.state == Some(state)).then_some(at);
        let duration = call.answered_seconds.filter(|seconds| (1..=MAX_DURATION).contains(seconds));
        let mut state = FoldedCall {
            direction: event.facts.direction.map(|direction| Cow::Borrowed(direction.into())),
            sender: event.facts.sender.clone(),
            recipient: event.facts.recipient.clone(),
            status: Cow::Borrowed(call.state.map_or("unknown", Into::into)),
            queued_at: at_if(CallState::Queued),
            initiated_at: at_if(CallState::Initiated),
            ringing_at: at_if(CallState::Ringing),
            // A provider may report the duration without the start.
            answered_at: at_if(CallState::Answered)
                .or_else(|| Timestamp::from_micros(at_if(CallState::Ended)?.micros() - duration? * 1_000_000)),
            ended_at: at_if(CallState::Ended),
            end_reason: call.end_reason.clone(),
            ended_by: call.ended_by.clone(),
            answered_seconds: None,
            state_key: state_key.to_vec(),
            updated_at: source.received_at,
        };
        state.update_duration();
        Self { key: EntityKey::new(source.service_type, source.account, id.as_str()), state }
    }
}

impl FoldedCall {
    /// Folds another state of the same call into this one: the earliest timestamp of each state, the highest state, and of two
    /// texts the greater one in byte order.
    fn absorb(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.queued_at, other.queued_at),
            (&mut self.initiated_at, other.initiated_at),
            (&mut self.ringing_at, other.ringing_at),
            (&mut self.answered_at, other.answered_at),
            (&mut self.ended_at, other.ended_at),
        ] {
            *mine = least(*mine, theirs);
        }
        self.direction = self.direction.take().max(other.direction);
        for (mine, theirs) in [
            (&mut self.sender, other.sender),
            (&mut self.recipient, other.recipient),
            (&mut self.end_reason, other.end_reason),
            (&mut self.ended_by, other.ended_by),
        ] {
            *mine = mine.take().max(theirs);
        }
        if other.state_key > self.state_key {
            self.status = other.status;
            self.state_key = other.state_key;
        }
        self.updated_at = self.updated_at.max(other.updated_at);
        self.update_duration();
    }

    /// Derives the answered duration from the two timestamps, so that it converges with them.
    fn update_duration(&mut self) {
        let duration = self.answered_at.zip(self.ended_at).map(|(answered, ended)| ended.micros() - answered.micros());
        self.answered_seconds = duration.filter(|micros| *micros >= 0).map(|micros| micros / 1_000_000);
    }
}
