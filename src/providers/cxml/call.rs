//! Callbacks about calls: progress events, requests for instructions, recordings and conferences.

use crate::{
    address,
    event::{Call, CallState, Effect, Event, EventType, ExternalId, Facts},
    form::Form,
    provider::{self, ParseError},
    status::{Channel, Direction},
    time::Timestamp,
};

pub(super) fn parse(form: &Form<'_>) -> Result<Event, ParseError> {
    provider::reject_ambiguous(
        form,
        &["CallSid", "CallStatus", "CallbackSource", "Direction", "From", "To", "Timestamp", "CallDuration", "HangupBy"],
    )?;
    let word = form.text("CallStatus").unwrap_or_default();
    let state = state_from_word(&word);
    let mut event = Event::informational(EventType::from(state), "");
    event.provider_type = form.owned("CallbackSource");
    event.external_id = form.text("CallSid").as_deref().and_then(ExternalId::new);
    event.provider_status = form.owned("CallStatus");
    event.occurred_at = form.text("Timestamp").as_deref().and_then(Timestamp::parse);
    if event.external_id.is_some() {
        let is_over = state == Some(CallState::Ended);
        event.effect = Effect::Call(Call {
            state,
            end_reason: form.owned("CallStatus").filter(|_| is_over),
            ended_by: form.owned("HangupBy").or_else(|| form.owned("HangupDirection")).filter(|_| is_over),
            answered_seconds: form.text("CallDuration").and_then(|seconds| seconds.parse().ok()).filter(|_| word == "completed"),
        });
    }
    event.facts = Facts {
        sender: form.text("From").as_deref().and_then(address::phone),
        recipient: form.text("To").as_deref().and_then(address::phone),
        channel: Some(Channel::Voice),
        direction: form.text("Direction").map(|word| Direction::from_call_word(&word)),
        ..Facts::default()
    };
    Ok(event)
}

fn state_from_word(word: &str) -> Option<CallState> {
    Some(match word {
        "queued" => CallState::Queued,
        "initiated" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "in-progress" | "answered" => CallState::Answered,
        "completed" | "busy" | "failed" | "no-answer" | "canceled" => CallState::Ended,
        _ => return None,
    })
}
