//! Calls as JSON: nested in `params` as SignalWire's own events are, flat as in the user's guide, or in an SWML fetch.

use serde_json::Value;

use crate::{
    address,
    event::{Call, CallState, Effect, Event, EventType, ExternalId, Facts},
    json::{self, scalar, text as word},
    provider::Unparsable,
    status::{Channel, Direction},
    text,
};

/// Reads one event. `about` holds the call's fields, `payload` the whole document.
pub(super) fn read(about: &Value, payload: &Value, kind: &str) -> Result<Event, Unparsable> {
    let id = scalar(about, "/call_id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(Unparsable::Invalid("an event of a call without call_id of 1 to 255 bytes"))?;
    let state_word = word(about, "/call_state");
    let state = state_word.and_then(of_state);
    let is_over = state == Some(CallState::Ended);
    let text_of = |pointers: &[&str]| pointers.iter().find_map(|pointer| word(about, pointer));
    let mut event = Event::aside(EventType::from(state), kind);
    event.external_id = Some(id);
    event.provider_status = state_word.and_then(text::present);
    event.occurred_at = json::instant(about, "/timestamp").or_else(|| json::instant(payload, "/timestamp"));
    event.effect = Effect::Call(Call {
        state,
        end_reason: text_of(&["/end_reason"]).and_then(text::present).filter(|_| is_over),
        ended_by: text_of(&["/hangup_by", "/ended_by"]).and_then(text::present).filter(|_| is_over),
        answered_seconds: None,
    });
    event.facts = Facts {
        sender: text_of(&["/device/params/from_number", "/from_number", "/from"]).and_then(address::phone),
        recipient: text_of(&["/device/params/to_number", "/to_number", "/to"]).and_then(address::phone),
        channel: Some(Channel::Voice),
        direction: text_of(&["/direction"]).map(Direction::of_call),
        ..Facts::default()
    };
    Ok(event)
}

fn of_state(word: &str) -> Option<CallState> {
    Some(match word {
        "queued" => CallState::Queued,
        "created" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "answered" => CallState::Answered,
        "ended" => CallState::Ended,
        _ => return None,
    })
}
