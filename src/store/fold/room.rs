//! Rows of `rooms`: a fold over the distinct events of a video room, its members and recordings.

use std::{borrow::Cow, collections::BTreeMap};

use diesel::{
    Queryable,
    sql_types::{Binary, Nullable, Text, Timestamp as Instant},
};
use serde::{Deserialize, Serialize};

use super::{
    entity::{EntityKey, entity},
    message::{Word, least},
    source::Source,
};
use crate::{
    event::{Event, ExternalId, Recording, Room, RoomChange},
    store::db::statement::row,
    time::Timestamp,
};

/// Maximum number of members and of recordings in a room's row; the raw bodies contain all of them.
const MAX_ITEMS: usize = 1_000;

row! {
    /// The folded columns of a room.
    #[derive(Clone, Debug, PartialEq, Queryable)]
    pub(crate) struct RoomState {
        name: Option<String> => Nullable<Text>,
        status: Word => Text,
        started_at: Option<Timestamp> => Nullable<Instant>,
        ended_at: Option<Timestamp> => Nullable<Instant>,
        members: String => Text,
        recordings: String => Text,
        state_key: Vec<u8> => Binary,
        updated_at: Timestamp => Instant,
    }
}

entity!(RoomState in "rooms", RoomState::absorb);

/// A room's row as derived from one event.
#[derive(Clone, Debug)]
pub(crate) struct RoomRow {
    pub(crate) key: EntityKey,
    pub(crate) state: RoomState,
}

/// A member or a recording in a room's row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct RoomItem {
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

impl RoomItem {
    fn from_recording(recording: &Recording) -> Self {
        let Recording { id, url, duration } = recording.clone();
        Self { id, url, duration, ..Self::default() }
    }

    /// A member may join and leave more than once: the first join and the last leave count.
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
    pub(crate) fn from_event(source: Source<'_>, id: &ExternalId, event: &Event, room: &Room, state_key: &[u8]) -> Self {
        let instant = event.occurred_at.unwrap_or(source.received_at);
        let at = Some(sortable(instant));
        let (mut members, mut recordings) = (Vec::new(), Vec::new());
        match &room.change {
            RoomChange::MemberJoined(member) => {
                members.push(RoomItem { id: member.id.clone(), name: member.name.clone(), joined_at: at, ..RoomItem::default() });
            }
            RoomChange::MemberLeft(member) => {
                members.push(RoomItem { id: member.id.clone(), name: member.name.clone(), left_at: at, ..RoomItem::default() });
            }
            RoomChange::RecordingStarted(recording) => {
                recordings.push(RoomItem { started_at: at, ..RoomItem::from_recording(recording) });
            }
            RoomChange::RecordingCompleted(recording) => {
                recordings.push(RoomItem { completed_at: at, ..RoomItem::from_recording(recording) });
            }
            RoomChange::Started | RoomChange::Ended | RoomChange::Other => {}
        }
        let at_if = |condition: bool| condition.then_some(instant);
        let status = match room.change {
            RoomChange::Started => "started",
            RoomChange::Ended => "ended",
            _ => "unknown",
        };
        let state = RoomState {
            name: room.name.clone(),
            status: Cow::Borrowed(status),
            started_at: at_if(room.change == RoomChange::Started),
            ended_at: at_if(room.change == RoomChange::Ended),
            members: to_json(&members),
            recordings: to_json(&recordings),
            state_key: state_key.to_vec(),
            updated_at: source.received_at,
        };
        Self { key: EntityKey::new(source.service_type, source.account, id.as_str()), state }
    }
}

impl RoomState {
    /// Folds another state of the same room into this one.
    fn absorb(&mut self, other: Self) {
        self.name = self.name.take().max(other.name);
        self.started_at = least(self.started_at, other.started_at);
        self.ended_at = self.ended_at.max(other.ended_at);
        self.members = merged(&self.members, &other.members);
        self.recordings = merged(&self.recordings, &other.recordings);
        if other.state_key > self.state_key {
            self.status = other.status;
            self.state_key = other.state_key;
        }
        self.updated_at = self.updated_at.max(other.updated_at);
    }
}

/// Formats a timestamp so that texts sort in the order of time.
fn sortable(instant: Timestamp) -> String {
    instant.naive().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn to_json(items: &[RoomItem]) -> String {
    serde_json::to_string(items).unwrap_or_else(|_| "[]".to_owned())
}

/// Merges two lists, in the order of ids.
fn merged(one: &str, other: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<Vec<RoomItem>>(text).unwrap_or_default();
    let mut all: BTreeMap<String, RoomItem> = BTreeMap::new();
    for item in parse(one).into_iter().chain(parse(other)) {
        if let Some(existing) = all.get_mut(&item.id) {
            existing.absorb(item);
        } else {
            all.insert(item.id.clone(), item);
        }
    }
    to_json(&all.into_values().take(MAX_ITEMS).collect::<Vec<_>>())
}
