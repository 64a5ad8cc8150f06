//! One message: what it is, what became of it, and its story event by event.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{
    frame::{Frame, Section},
    part::{Badge, Moment, Prose, Tone, endpoint},
    problem::{Problem, Trouble},
    visit::Visit,
};
use crate::{
    explain::{Entry, ErrorInWords, Explanation},
    store::Message,
};

#[derive(Template)]
#[template(path = "message.html")]
struct Page {
    frame: Frame,
    external_id: String,
    endpoint: String,
    status: Badge,
    is_unverified: bool,
    summary: Prose,
    matching: Prose,
    warnings: Vec<Prose>,
    error: Option<ErrorInWords>,
    facts: Vec<(&'static str, String)>,
    instants: Vec<(&'static str, Moment)>,
    steps: Vec<Step>,
}

/// One event of the story.
struct Step {
    tone: Tone,
    at: Moment,
    clock: String,
    event_type: String,
    status: Option<Badge>,
    note: Option<&'static str>,
    words: String,
    sentence: Prose,
    request: Option<Source>,
    detail: Option<String>,
}

/// The request that brought an event.
struct Source {
    id: i64,
    verified_by: String,
    has_body: bool,
    times: i64,
}

impl Step {
    fn new(entry: &Entry, visit: &Visit) -> Self {
        let words: Vec<String> = [
            entry.provider_status.as_ref().or(entry.provider_type.as_ref()).map(|word| format!("“{word}”")),
            entry.error_code.as_ref().map(|code| format!("error {code}")),
            entry.evidence.as_ref().map(|evidence| format!("evidence: {evidence}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let is_told = !entry.detail.0.is_null() && entry.detail.0.as_object().is_none_or(|fields| !fields.is_empty());
        Self {
            // What did not move the status is told without its colour.
            tone: entry.status.as_deref().filter(|_| entry.moved).map_or(Tone::Idle, Tone::of),
            at: visit.moment(entry.received_at),
            clock: entry.received_at.naive().format("%e %b, %H:%M:%S%.3f").to_string(),
            event_type: entry.event_type.clone(),
            status: entry.status.as_deref().map(Badge::status),
            note: if entry.late { Some("came late") } else { None },
            words: words.join(" · "),
            sentence: Prose::new(&entry.sentence),
            request: entry.request.as_ref().map(|request| Source {
                id: request.id,
                verified_by: request.verified_by.clone(),
                has_body: request.has_body,
                times: request.duplicate_count + 1,
            }),
            detail: is_told.then(|| serde_json::to_string_pretty(&entry.detail).unwrap_or_default()),
        }
    }
}

fn facts(message: &Message, reference: Option<String>) -> Vec<(&'static str, String)> {
    let price = message.price.as_ref().map(|price| match &message.price_currency {
        Some(currency) => format!("{price} {currency}"),
        None => price.clone(),
    });
    let count = |count: i64| (count > 0).then(|| count.to_string());
    let all = [
        ("Recipient", message.recipient.clone()),
        ("Sender", message.sender.clone()),
        ("Channel", message.channel.clone()),
        ("Application’s id", message.message_id.map(|id| id.to_string())),
        ("Reference", reference),
        ("Carried reference", message.embedded_id.clone()),
        ("Evidence", message.evidence.clone()),
        ("Provider’s word", message.provider_status.clone()),
        ("Opens", count(message.open_count)),
        ("Clicks", count(message.click_count)),
        ("Parts", message.parts_total.map(|parts| parts.to_string())),
        ("Price", price),
        ("Verified by", message.verified_by.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn instants(message: &Message, visit: &Visit) -> Vec<(&'static str, Moment)> {
    let all = [
        ("First heard of", Some(message.created_at)),
        ("Status since", message.status_at),
        ("Delivered", message.delivered_at),
        ("Failed", message.failed_at),
        ("Read", message.read_at),
        ("First opened", message.opened_at),
        ("First clicked", message.clicked_at),
        ("Complained", message.complained_at),
        ("Unsubscribed", message.unsubscribed_at),
    ];
    all.into_iter().filter_map(|(name, at)| Some((name, visit.moment(at?)))).collect()
}

pub(super) async fn show(visit: Visit, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let missing = || visit.problem(Trouble::NotFound);
    let id: i64 = id.parse().map_err(|_| missing())?;
    let story = visit.ask(move |store| store.story(id)).await?.ok_or_else(missing)?;
    let Explanation { message, reference, summary, matching, error, warnings, timeline } = story.into();
    let page = Page {
        frame: visit.frame(Section::Messages, format!("Message {}", message.external_id)),
        endpoint: endpoint(&message.service_type, &message.account),
        status: Badge::status(&message.status),
        is_unverified: message.verified_by.as_deref() == Some("none"),
        summary: Prose::new(&summary),
        matching: Prose::new(&matching),
        warnings: warnings.iter().map(|warning| Prose::new(warning)).collect(),
        error,
        facts: facts(&message, reference),
        instants: instants(&message, &visit),
        steps: timeline.iter().map(|entry| Step::new(entry, &visit)).collect(),
        external_id: message.external_id,
    };
    visit.show(&page)
}
