//! Rows of `calls`: a fold over the distinct events of a call. There are few of them beside messages, so that the row is
//! locked, folded here and written back, and the rules stand once.

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use diesel::{AsChangeset, Insertable, Queryable, Selectable};

use super::{fold::least, record::Record, schema::calls};
use crate::event::{CallState, Effect, Event};

/// Thirty days: no call is longer.
const MAX_TALK: i64 = 30 * 24 * 3600;

/// A row as one event, or the fold of several, makes it.
#[derive(Clone, Debug, AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = calls, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct CallRow {
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub direction: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub status: String,
    pub queued_at: Option<NaiveDateTime>,
    pub initiated_at: Option<NaiveDateTime>,
    pub ringing_at: Option<NaiveDateTime>,
    pub answered_at: Option<NaiveDateTime>,
    pub ended_at: Option<NaiveDateTime>,
    pub end_reason: Option<String>,
    pub ended_by: Option<String>,
    pub answered_seconds: Option<i64>,
    pub state_key: Vec<u8>,
    pub updated_at: NaiveDateTime,
}

impl CallRow {
    /// The row that one event alone would make; `None` if it is about no call.
    pub(super) fn of(record: &Record, event: &Event, state_key: &[u8]) -> Option<Self> {
        let Effect::Call(call) = &event.effect else { return None };
        let at = event.occurred_at.unwrap_or(record.received_at).naive();
        let at_if = |state: CallState| (call.state == Some(state)).then_some(at);
        let talked = call.answered_seconds.filter(|seconds| (1..=MAX_TALK).contains(seconds)).and_then(TimeDelta::try_seconds);
        let mut row = Self {
            service_type: record.service_type.to_owned(),
            account: record.account.clone(),
            external_id: event.external_id.as_ref()?.as_str().to_owned(),
            direction: event.facts.direction.map(|direction| direction.as_ref().to_owned()),
            sender: event.facts.sender.clone(),
            recipient: event.facts.recipient.clone(),
            status: call.state.map_or("unknown", Into::into).to_owned(),
            queued_at: at_if(CallState::Queued),
            initiated_at: at_if(CallState::Initiated),
            ringing_at: at_if(CallState::Ringing),
            // A provider that tells how long was talked need not have told when it began.
            answered_at: at_if(CallState::Answered).or_else(|| {
                let answered = at_if(CallState::Ended)?.checked_sub_signed(talked?)?;
                (answered >= DateTime::UNIX_EPOCH.naive_utc()).then_some(answered)
            }),
            ended_at: at_if(CallState::Ended),
            end_reason: call.end_reason.clone(),
            ended_by: call.ended_by.clone(),
            answered_seconds: None,
            state_key: state_key.to_vec(),
            updated_at: record.received_at.naive(),
        };
        row.measure();
        Some(row)
    }

    /// Folds another row of the same call into this one: the first instant of each state, the state that is furthest, and of
    /// two different texts the greater in byte order.
    pub(super) fn absorb(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.queued_at, other.queued_at),
            (&mut self.initiated_at, other.initiated_at),
            (&mut self.ringing_at, other.ringing_at),
            (&mut self.answered_at, other.answered_at),
            (&mut self.ended_at, other.ended_at),
        ] {
            *mine = least(*mine, theirs);
        }
        for (mine, theirs) in [
            (&mut self.direction, other.direction),
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
        self.measure();
    }

    /// The answered duration follows from the two instants, so that it converges with them.
    fn measure(&mut self) {
        let talked = self.answered_at.zip(self.ended_at).map(|(answered, ended)| (ended - answered).num_seconds());
        self.answered_seconds = talked.filter(|seconds| *seconds >= 0);
    }
}
