//! All that is stored of an event, as text.

use waybill::event::{Effect, Event, ExternalId, Inbound};

pub(crate) fn text(event: &Event) -> String {
    // A new field has to be added here.
    let Event {
        event_type,
        provider_type,
        external_id,
        recipient_key,
        effect,
        cloud_event,
        status,
        provider_status,
        evidence,
        error,
        occurred_at,
        facts,
    } = event;
    let id = external_id.as_ref().map(ExternalId::as_str);
    let facts = serde_json::to_string(facts).expect("JSON");
    let effect = match effect {
        Effect::Inbound(inbound) => of_inbound(inbound),
        other => format!("{other:?}"),
    };
    format!(
        "{event_type:?} {provider_type:?} {id:?} {recipient_key:?} {cloud_event:?} {status:?} {provider_status:?} {evidence:?} \
         {error:?} {occurred_at:?} {effect} {facts}\n"
    )
}

fn of_inbound(Inbound { text, typed, media, parts, part, opt_out, email }: &Inbound) -> String {
    let email = serde_json::to_string(email).expect("JSON");
    format!("{text:?} {typed:?} {media:?} {parts:?} {part:?} {opt_out:?} {email}")
}
