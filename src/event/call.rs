//! The state of a call, as an event reports it.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::EventType;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Waiting at the provider.
    Queued,
    Initiated,
    Ringing,
    Answered,
    /// Over, answered or not.
    Ended,
}

impl CallState {
    /// The rank by which one event of a call supersedes another; at equal rank the later one does.
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

/// A call's state in one event. Both numbers and the direction are among its [`super::Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Seconds from answer to end, if reported; the instant of the answer follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// The party that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// The state that the event reports, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CallState>,
}
