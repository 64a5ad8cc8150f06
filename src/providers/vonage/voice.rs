//! Voice: the events of a call, as query or JSON.

use super::present;
use crate::{
    address,
    event::{Call, CallState, Effect, Event, EventType, ExternalId, Facts},
    form::Form,
    provider::{self, ParseError},
    status::{Channel, Direction},
    text,
    time::Timestamp,
};

/// Parses an event, or a request for the instructions of a call.
pub(super) fn parse(form: &Form<'_>) -> Result<Event, ParseError> {
    provider::reject_ambiguous(form, &["uuid", "status", "direction", "from", "to", "timestamp"])?;
    let id = present(form, "uuid").or_else(|| present(form, "call_uuid")).as_deref().and_then(ExternalId::new);
    let word = present(form, "status");
    let state = word.as_deref().and_then(state_from_word);
    let is_over = state == Some(CallState::Ended);
    let number = |name: &str| present(form, name).as_deref().and_then(address::international);
    let mut event = Event::informational(EventType::from(state), "voice");
    event.external_id = Some(id.ok_or(ParseError::Invalid("an event of a call without uuid of 1 to 255 bytes"))?);
    event.effect = Effect::Call(Call {
        state,
        end_reason: word.clone().filter(|_| is_over),
        ended_by: present(form, "disconnected_by").filter(|_| is_over),
        answered_seconds: present(form, "duration").and_then(|seconds| seconds.parse().ok()).filter(|_| is_over),
    });
    event.provider_status = word;
    event.occurred_at = present(form, "timestamp").as_deref().and_then(Timestamp::parse);
    event.facts = Facts {
        sender: number("from"),
        recipient: number("to"),
        channel: Some(Channel::Voice),
        direction: present(form, "direction").map(|word| Direction::from_call_word(&word)),
        price: present(form, "price").as_deref().and_then(text::decimal),
        ..Facts::default()
    };
    Ok(event)
}

fn state_from_word(word: &str) -> Option<CallState> {
    Some(match word {
        "started" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "answered" => CallState::Answered,
        "completed" | "busy" | "cancelled" | "failed" | "rejected" | "timeout" | "unanswered" | "disconnected" => {
            CallState::Ended
        }
        _ => return None,
    })
}
