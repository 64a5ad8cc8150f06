//! Video rooms: nested in `params` as in SignalWire's own events, or flat as in the integration guide, where the URL names the event and
//! the document does not.

use serde_json::Value;

use crate::{
    event::{Effect, Event, EventType, ExternalId, Member, Recording, Room, RoomChange},
    form::Form,
    json::{self, scalar, text as word},
    provider::ParseError,
    text,
};

/// The names of the room's session, the one that rooms and members share first.
const IDS: [&str; 4] = ["/room_session_id", "/room_session/id", "/room_id", "/room/id"];

/// The name of the event, if it belongs to a video room: by a name and the room's id, or by the id and another of the room's members.
/// A start or an end may lack the id. A name alone is not enough, because calls and conferences have members and recordings, too.
pub(super) fn event_name(payload: &Value, about: &Value, query: &str) -> Option<String> {
    const MARKS: [&str; 6] =
        ["/room_name", "/room_session/name", "/room_session/display_name", "/room/name", "/member", "/recording"];
    let has = |names: &[&str]| names.iter().any(|name| json::at(about, name).is_some());
    let is_of_room = has(&IDS);
    let unprefixed = |name: &str| name.strip_prefix("video.").unwrap_or(name).to_owned();
    let is_video = |name: &String| ["room.", "member.", "recording."].iter().any(|start| name.starts_with(start));
    let in_body = ["/event", "/event_type", "/type"].iter().find_map(|name| word(payload, name)).map(unprefixed);
    if !is_of_room {
        return in_body.filter(|name| ["room.started", "room.ended"].contains(&name.as_str()));
    }
    let named = in_body.or_else(|| Form::decode(query.as_bytes())?.owned("event").as_deref().map(unprefixed));
    match named.filter(is_video) {
        Some(name) => Some(name),
        None if has(&["/recording_url"]) => Some("recording.completed".to_owned()),
        None if has(&MARKS) => Some("room.updated".to_owned()),
        None => None,
    }
}

/// Parses one event. `about` has the room's fields, `payload` is the whole document.
pub(super) fn parse(name: &str, about: &Value, payload: &Value) -> Result<Event, ParseError> {
    let id = IDS.iter().find_map(|pointer| scalar(about, pointer)).as_deref().and_then(ExternalId::new);
    let change = match name {
        "room.started" => RoomChange::Started,
        "room.ended" => RoomChange::Ended,
        "member.joined" => RoomChange::MemberJoined(member(about)),
        "member.left" => RoomChange::MemberLeft(member(about)),
        "recording.started" => RoomChange::RecordingStarted(recording(about)),
        "recording.completed" | "recording.ended" => RoomChange::RecordingCompleted(recording(about)),
        _ => RoomChange::Other,
    };
    let names = ["/room_name", "/room_session/name", "/room/name", "/room_session/display_name"];
    let mut event = Event::informational(EventType::from(&change), name);
    event.external_id = Some(id.ok_or(ParseError::Invalid("an event of a video room without its id"))?);
    event.occurred_at = json::instant(about, "/timestamp").or_else(|| json::instant(payload, "/timestamp"));
    event.effect = Effect::Room(Box::new(Room { name: first(about, &names), change }));
    Ok(event)
}

fn member(about: &Value) -> Member {
    let name = first(about, &["/member/name", "/member_name"]);
    let id = first(about, &["/member/id", "/member_id"]).or_else(|| name.clone()).unwrap_or_default();
    Member { id, name }
}

fn recording(about: &Value) -> Recording {
    let url = first(about, &["/recording/url", "/recording/uri", "/recording_url"]);
    let id = first(about, &["/recording/id", "/recording_id"]).or_else(|| url.clone()).unwrap_or_default();
    Recording { id, url, duration: first(about, &["/recording/duration", "/duration"]) }
}

fn first(about: &Value, pointers: &[&str]) -> Option<String> {
    pointers.iter().find_map(|pointer| scalar(about, pointer)).and_then(|value| text::present(&value))
}
