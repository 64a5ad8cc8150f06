//! What an event tells of a call.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::EventType;

/// How far a call has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Waits inside the provider.
    Queued,
    /// Being set up.
    Initiated,
    /// Rings.
    Ringing,
    /// Somebody talks.
    Answered,
    /// Over, whether it was answered or not.
    Ended,
}

impl CallState {
    /// What decides between the events of one call, below which its time does.
    pub fn rank(self) -> u8 {
        match self {
            Self::Queued => 10,
            Self::Initiated => 20,
            Self::Ringing => 30,
            Self::Answered => 40,
            Self::Ended => 50,
        }
    }
}

impl From<Option<CallState>> for EventType {
    fn from(state: Option<CallState>) -> Self {
        match state {
            Some(CallState::Queued) => Self::CallQueued,
            Some(CallState::Initiated) => Self::CallInitiated,
            Some(CallState::Ringing) => Self::CallRinging,
            Some(CallState::Answered) => Self::CallAnswered,
            Some(CallState::Ended) => Self::CallEnded,
            None => Self::CallUpdated,
        }
    }
}

/// What an event tells of a call. Both numbers and the direction are among its [`super::Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The state it has reached, if the event is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CallState>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// Who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Seconds from answer to end, if the provider tells them: the instant of the answer follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_seconds: Option<i64>,
}
