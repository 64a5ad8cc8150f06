//! Video rooms: sessions, members and recordings.

use serde::{Deserialize, Serialize};

use super::EventType;

/// A change of a video room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    pub change: RoomChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomChange {
    Started,
    /// All members have left.
    Ended,
    MemberJoined(Member),
    MemberLeft(Member),
    RecordingStarted(Recording),
    /// A recording can be fetched.
    RecordingCompleted(Recording),
    Other,
}

impl RoomChange {
    /// Rooms start and end more than once, so both have the same rank, and the later one supersedes the other.
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

/// A member of a video room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The provider's id, or the name.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A recording of a video room. Its content is not fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// In seconds, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// The provider's id, or the address.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
