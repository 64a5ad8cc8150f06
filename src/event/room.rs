//! What an event tells of a video room.

use serde::{Deserialize, Serialize};

use super::EventType;

/// What an event tells of a video room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What happened in it.
    pub change: RoomChange,
}

/// What happened in a video room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomChange {
    /// The session began.
    Started,
    /// All have left.
    Ended,
    /// Somebody came.
    MemberJoined(Member),
    /// Somebody left.
    MemberLeft(Member),
    /// A recording began.
    RecordingStarted(Recording),
    /// A recording can be fetched.
    RecordingCompleted(Recording),
    /// Something else.
    Other,
}

impl RoomChange {
    /// Rooms start and end more than once, so that time decides between the two.
    pub fn rank(&self) -> u8 {
        u8::from(matches!(self, Self::Started | Self::Ended))
    }
}

impl From<&RoomChange> for EventType {
    fn from(change: &RoomChange) -> Self {
        match change {
            RoomChange::Started => Self::RoomStarted,
            RoomChange::Ended => Self::RoomEnded,
            RoomChange::MemberJoined(_) => Self::MemberJoined,
            RoomChange::MemberLeft(_) => Self::MemberLeft,
            RoomChange::RecordingStarted(_) => Self::RecordingStarted,
            RoomChange::RecordingCompleted(_) => Self::RecordingCompleted,
            RoomChange::Other => Self::RoomUpdated,
        }
    }
}

/// Somebody in a video room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The provider's id of them, or their name.
    pub id: String,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A recording of a video room. Nothing is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The provider's id of it, or its address.
    pub id: String,
    /// Where it can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How long it is, in seconds, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}
