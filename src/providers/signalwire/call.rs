//! Calls as JSON: nested in `params` as in SignalWire's own events, flat as in the integration guide, or in an SWML fetch.

use serde_json::Value;

use crate::{
    address,
    event::{Call, CallState, Effect, Event, EventType, ExternalId, Facts},
    json::{self, scalar, text as word},
    provider::ParseError,
    status::{Channel, Direction},
    text,
};

/// Parses one event. `about` has the call's fields, `payload` is the whole document.
pub(super) fn parse(about: &Value, payload: &Value, kind: &str) -> Result<Event, ParseError> {
    let id = scalar(about, "/call_id").as_deref().and_then(ExternalId::new);
    let id = id.ok_or(ParseError::Invalid("an event of a call without call_id of 1 to 255 bytes"))?;
    let state_word = word(about, "/call_state");
    let state = state_word.and_then(state_from_word);
    let is_over = state == Some(CallState::Ended);
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| word(about, pointer));
    let mut event = Event::informational(EventType::from(state), kind);
    event.external_id = Some(id);
    event.provider_status = state_word.and_then(text::present);
    event.occurred_at = json::instant(about, "/timestamp").or_else(|| json::instant(payload, "/timestamp"));
    event.effect = Effect::Call(Call {
        state,
        end_reason: first(&["/end_reason"]).and_then(text::present).filter(|_| is_over),
        ended_by: first(&["/hangup_by", "/ended_by"]).and_then(text::present).filter(|_| is_over),
        answered_seconds: None,
    });
    event.facts = Facts {
        sender: first(&["/device/params/from_number", "/from_number", "/from"]).and_then(address::phone),
        recipient: first(&["/device/params/to_number", "/to_number", "/to"]).and_then(address::phone),
        channel: Some(Channel::Voice),
        direction: first(&["/direction"]).map(Direction::from_call_word),
        ..Facts::default()
    };
    Ok(event)
}

fn state_from_word(word: &str) -> Option<CallState> {
    Some(match word {
        "queued" => CallState::Queued,
        "created" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "answered" => CallState::Answered,
        "ended" => CallState::Ended,
        _ => return None,
    })
}
