//! Rows of `rooms`: a fold over the distinct events of a video room, its members and its recordings. Locked, folded here and
//! written back, as calls are.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use serde::{Deserialize, Serialize};

use super::{fold::least, record::Record, schema::rooms};
use crate::{
    event::{Effect, Event, Recording, RoomChange},
    time::Timestamp,
};

/// Members and recordings of one room that are listed; more are in the raw bodies.
const MAX_LISTED: usize = 1_000;

/// A row as one event, or the fold of several, makes it.
#[derive(Clone, Debug, AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = rooms, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct RoomRow {
    pub service_type: String,
    pub account: String,
    pub external_id: String,
    pub name: Option<String>,
    pub status: String,
    pub started_at: Option<NaiveDateTime>,
    pub ended_at: Option<NaiveDateTime>,
    pub members: String,
    pub recordings: String,
    pub state_key: Vec<u8>,
    pub updated_at: NaiveDateTime,
}

/// A member or a recording as it is listed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Listed {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
}

impl Listed {
    fn of_recording(recording: &Recording) -> Self {
        let Recording { id, url, duration } = recording.clone();
        Self { id, url, duration, ..Self::default() }
    }

    /// Somebody may come and go more than once: first come, last gone.
    fn absorb(&mut self, other: Self) {
        self.name = self.name.take().max(other.name);
        self.url = self.url.take().max(other.url);
        self.duration = self.duration.take().max(other.duration);
        self.joined_at = least(self.joined_at.take(), other.joined_at);
        self.left_at = self.left_at.take().max(other.left_at);
        self.started_at = least(self.started_at.take(), other.started_at);
        self.completed_at = least(self.completed_at.take(), other.completed_at);
    }
}

impl RoomRow {
    /// The row that one event alone would make; `None` if it is about no room.
    pub(super) fn of(record: &Record, event: &Event, state_key: &[u8]) -> Option<Self> {
        let Effect::Room(room) = &event.effect else { return None };
        let instant = event.occurred_at.unwrap_or(record.received_at);
        let at = Some(fixed(instant));
        let (mut members, mut recordings) = (Vec::new(), Vec::new());
        match &room.change {
            RoomChange::MemberJoined(member) => {
                members.push(Listed { id: member.id.clone(), name: member.name.clone(), joined_at: at, ..Listed::default() });
            }
            RoomChange::MemberLeft(member) => {
                members.push(Listed { id: member.id.clone(), name: member.name.clone(), left_at: at, ..Listed::default() });
            }
            RoomChange::RecordingStarted(recording) => {
                recordings.push(Listed { started_at: at, ..Listed::of_recording(recording) });
            }
            RoomChange::RecordingCompleted(recording) => {
                recordings.push(Listed { completed_at: at, ..Listed::of_recording(recording) });
            }
            RoomChange::Started | RoomChange::Ended | RoomChange::Other => {}
        }
        let at_if = |condition: bool| condition.then(|| instant.naive());
        let status = match room.change {
            RoomChange::Started => "started",
            RoomChange::Ended => "ended",
            _ => "unknown",
        };
        Some(Self {
            service_type: record.service_type.to_owned(),
            account: record.account.clone(),
            external_id: event.external_id.as_ref()?.as_str().to_owned(),
            name: room.name.clone(),
            status: status.to_owned(),
            started_at: at_if(room.change == RoomChange::Started),
            ended_at: at_if(room.change == RoomChange::Ended),
            members: list(&members),
            recordings: list(&recordings),
            state_key: state_key.to_vec(),
            updated_at: record.received_at.naive(),
        })
    }

    /// Folds another row of the same room into this one.
    pub(super) fn absorb(&mut self, other: Self) {
        self.name = self.name.take().max(other.name);
        self.started_at = least(self.started_at, other.started_at);
        self.ended_at = self.ended_at.max(other.ended_at);
        self.members = joined(&self.members, &other.members);
        self.recordings = joined(&self.recordings, &other.recordings);
        if other.state_key > self.state_key {
            self.status = other.status;
            self.state_key = other.state_key;
        }
        self.updated_at = self.updated_at.max(other.updated_at);
    }
}

/// An instant as text that sorts as the instants do.
fn fixed(instant: Timestamp) -> String {
    instant.naive().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn list(listed: &[Listed]) -> String {
    serde_json::to_string(listed).unwrap_or_else(|_| "[]".to_owned())
}

/// Both lists as one, in the order of ids.
fn joined(one: &str, other: &str) -> String {
    let read = |text: &str| serde_json::from_str::<Vec<Listed>>(text).unwrap_or_default();
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    for listed in read(one).into_iter().chain(read(other)) {
        if let Some(there) = all.get_mut(&listed.id) {
            there.absorb(listed);
        } else {
            all.insert(listed.id.clone(), listed);
        }
    }
    list(&all.into_values().take(MAX_LISTED).collect::<Vec<_>>())
}
