//! The story in lines: the answers of the store, `explain` and the verification doctor about its messages.

use super::{Demo, scenes::Scenes};
use crate::{
    cli::CommandError,
    explain::{Explanation, TimelineEntry},
    providers,
    store::{InboundFilter, RequestFilter, RequestState, StoredRequest},
    time::Timestamp,
};

/// Lines of the story: a word for what happened, and the text.
pub(super) type Line = (&'static str, String);

pub(super) fn lines(demo: &Demo, scenes: &Scenes) -> Result<Vec<Line>, CommandError> {
    let mut lines = Vec::new();
    lines.extend(delivered(&explained(demo, &scenes.delivered)?));
    lines.extend(bounced(&explained(demo, &scenes.bounced)?));
    lines.extend(unchanged("Late", &explained(demo, &scenes.late)?));
    lines.extend(unchanged("Repeated", &explained(demo, &scenes.repeated)?));
    lines.extend(forged(&rejected(demo, scenes.forged_at)?, &explained(demo, &scenes.bounced)?));
    lines.extend(joined(demo, scenes)?);
    Ok(lines)
}

fn explained(demo: &Demo, external_id: &str) -> Result<Explanation, CommandError> {
    let story = demo.running.gateway.store.histories(external_id)?.into_iter().next();
    story.map(Explanation::from).ok_or_else(|| CommandError::Other(format!("no message has the id {external_id}")))
}

/// The message in a few words.
fn headline(Explanation { message, .. }: &Explanation) -> String {
    format!("{} {}", title(&message.service_type), message.external_id)
}

fn title(service_type: &str) -> &str {
    providers::find(service_type).map_or(service_type, |spec| spec.title)
}

fn clock(at: Timestamp) -> String {
    at.naive().format("%H:%M:%S").to_string()
}

fn delivered(explanation: &Explanation) -> [Line; 2] {
    let step = |entry: &TimelineEntry| format!("{} {}", entry.status_after, clock(entry.received_at));
    let timeline: Vec<String> = explanation.timeline.iter().map(step).collect();
    [("Delivered", format!("{}: {}", headline(explanation), timeline.join(", "))), ("", explanation.summary.clone())]
}

fn bounced(explanation: &Explanation) -> [Line; 2] {
    let recipient = explanation.message.recipient.as_deref().unwrap_or_default();
    let (words, next) = explanation
        .error
        .as_ref()
        .map(|error| (error.message.as_deref().unwrap_or(error.meaning), error.next))
        .unwrap_or_default();
    [("Bounced", format!("{} to {recipient}: {words}", headline(explanation))), ("", format!("What to do: {next}"))]
}

/// A message that a callback did not change: the sentence of its last event.
fn unchanged(word: &'static str, explanation: &Explanation) -> [Line; 2] {
    let sentence = explanation.timeline.last().map(|entry| entry.sentence.clone()).unwrap_or_default();
    let status = &explanation.message.status;
    [(word, format!("{}: still `{status}`", headline(explanation))), ("", sentence)]
}

fn forged(request: &StoredRequest, target: &Explanation) -> [Line; 2] {
    let finding = request.finding.as_deref().or(request.reason.as_deref()).unwrap_or_default();
    let about = format!("{} {} about {}", title(&request.service_type), request.id, target.message.external_id);
    [("Forged", format!("{about}: still `{}`", target.message.status)), ("", format!("{}: {finding}", request.state))]
}

/// The rejected callback that arrived at that instant.
fn rejected(demo: &Demo, at: Timestamp) -> Result<StoredRequest, CommandError> {
    let gateway = &demo.running.gateway;
    gateway.rejections.settle();
    let until = Timestamp::from_micros(at.micros() + 1);
    let filter =
        RequestFilter { state: Some(RequestState::Rejected), since: Some(at), until, limit: 1, ..RequestFilter::default() };
    let request = gateway.store.requests(&filter)?.items.into_iter().next();
    request.ok_or_else(|| CommandError::Other("the forged callback is not among the rejected ones".to_owned()))
}

fn joined(demo: &Demo, scenes: &Scenes) -> Result<[Line; 2], CommandError> {
    let filter = InboundFilter { sender: Some(format!("+{}", scenes.sender)), limit: 1, ..InboundFilter::default() };
    let inbound = demo.running.gateway.store.inbound_messages(&filter)?.items.into_iter().next();
    let inbound = inbound.ok_or_else(|| CommandError::Other("the long inbound message was not joined".to_owned()))?;
    let (received, total) = (inbound.parts_received, inbound.parts_total);
    let about = format!("{} {}: {received} of {total} parts", title(&inbound.service_type), inbound.external_id);
    Ok([("Joined", about), ("", format!("\"{}\"", inbound.text.unwrap_or_default()))])
}
