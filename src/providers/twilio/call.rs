//! Callbacks about calls: recognised and kept.

use super::message;
use crate::{
    address,
    event::{Event, EventType, ExternalId, Facts},
    form::Form,
    provider::Unparsable,
    status::{Channel, Direction},
    time::Timestamp,
};

/// Reads one callback: a progress event, a request for instructions, or one about a recording or a conference.
pub(super) fn read(form: &Form<'_>) -> Result<Event, Unparsable> {
    message::check_scalars(form, &["CallSid", "CallStatus", "CallbackSource", "Direction", "From", "To", "Timestamp"])?;
    let mut event = Event::aside(of_status(&form.text("CallStatus").unwrap_or_default()), "");
    event.provider_type = form.owned("CallbackSource");
    event.external_id = form.text("CallSid").as_deref().and_then(ExternalId::new);
    event.provider_status = form.owned("CallStatus");
    event.occurred_at = form.text("Timestamp").as_deref().and_then(Timestamp::parse);
    event.facts = Facts {
        sender: form.text("From").as_deref().and_then(address::phone),
        recipient: form.text("To").as_deref().and_then(address::phone),
        channel: Some(Channel::Voice),
        direction: form.text("Direction").map(|word| match word.as_ref() {
            "inbound" => Direction::Inbound,
            _ => Direction::Outbound,
        }),
        ..Facts::default()
    };
    Ok(event)
}

fn of_status(word: &str) -> EventType {
    match word {
        "queued" => EventType::CallQueued,
        "initiated" => EventType::CallInitiated,
        "ringing" => EventType::CallRinging,
        "in-progress" | "answered" => EventType::CallAnswered,
        "completed" | "busy" | "failed" | "no-answer" | "canceled" => EventType::CallEnded,
        _ => EventType::CallUpdated,
    }
}
