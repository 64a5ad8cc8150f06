//! The explanation of one message in sentences: its events, the rule that each applied, how it was matched to the application's
//! message, and what to do about an error. Pure: it needs only the stored history.

mod advice;

use std::ops::Deref;

use serde::Serialize;

use crate::{
    event::{Automation, AutomationKind, Detection, EventType},
    status::ErrorCategory,
    store::{EngagementCounts, HistoryEvent, Message, MessageHistory, Recipient, RequestSummary, Rule, StoredEvent},
};

/// The history of a message.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    pub message: Message,
    /// The application's own key for it.
    pub reference: Option<String>,
    /// Its status in a sentence.
    pub summary: String,
    /// The match with the application's message, or the reason for none.
    pub matching: String,
    /// The error and the next step.
    pub error: Option<ErrorExplanation>,
    /// Its recipients with the status of each, at most 100.
    pub recipients: Vec<Recipient>,
    /// Its opens and clicks by people and by machines.
    pub engagement: EngagementCounts,
    /// Irregularities.
    pub warnings: Vec<String>,
    /// Its events in order of arrival.
    pub timeline: Vec<TimelineEntry>,
}

/// An error in words.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorExplanation {
    pub code: Option<String>,
    pub message: Option<String>,
    pub category: String,
    pub permanence: Option<String>,
    /// The meaning of the category.
    pub meaning: &'static str,
    /// The next step.
    pub next: &'static str,
}

/// One event of the history.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TimelineEntry {
    #[serde(flatten)]
    pub event: StoredEvent,
    /// The status before it arrived.
    pub status_before: String,
    /// The status after it arrived.
    pub status_after: String,
    /// True if it changed the status.
    pub moved: bool,
    /// True if it arrived after a status that it could no longer change.
    pub late: bool,
    /// Its effect, in a sentence.
    pub sentence: String,
    /// Number of duplicates, of the event or of its request.
    pub duplicates: i64,
    /// The request that contained it, if any.
    pub request: Option<RequestSummary>,
}

impl Deref for TimelineEntry {
    type Target = StoredEvent;

    fn deref(&self) -> &StoredEvent {
        &self.event
    }
}

impl From<MessageHistory> for Explanation {
    fn from(history: MessageHistory) -> Self {
        let mut state = State { status: "registered".to_owned(), key: Vec::new() };
        let timeline: Vec<TimelineEntry> = history.events.iter().map(|event| state.apply(event)).collect();
        Self {
            summary: summary(&history.message, &timeline),
            matching: matching(&history),
            error: error(&history.message),
            warnings: warnings(&history, &timeline),
            engagement: EngagementCounts::new(&history.events.iter().map(|event| &event.event).collect::<Vec<_>>()),
            recipients: history.recipients,
            reference: history.reference,
            message: history.message,
            timeline,
        }
    }
}

/// The status so far, with its state key.
struct State {
    status: String,
    key: Vec<u8>,
}

impl State {
    /// Applies an event, as on its receipt.
    fn apply(&mut self, HistoryEvent { event, state_key, request }: &HistoryEvent) -> TimelineEntry {
        let rule = Rule::for_event(Some(&self.key), state_key, event.status.is_some());
        let before = self.status.clone();
        let sentence = self.sentence(event, state_key, rule, request.as_ref());
        if *state_key > self.key {
            self.key.clone_from(state_key);
            self.status.clone_from(event.status.as_ref().unwrap_or(&before));
        }
        TimelineEntry {
            event: event.clone(),
            status_before: before,
            status_after: self.status.clone(),
            moved: rule.changes_status(),
            late: matches!(rule, Rule::LowerRank | Rule::EarlierTime),
            sentence,
            duplicates: duplicates(event, request.as_ref()),
            request: request.clone(),
        }
    }

    fn sentence(&self, event: &StoredEvent, state_key: &[u8], rule: Rule, request: Option<&RequestSummary>) -> String {
        let (before, new) = (self.status.as_str(), event.status.as_deref().unwrap_or_default());
        let [rank_before, rank_new] = [&self.key, state_key].map(|key| key.first().copied().unwrap_or_default());
        let what = match rule {
            Rule::First => format!("First event: the status is `{new}`."),
            Rule::HigherRank => {
                format!("Changed the status from `{before}` to `{new}`, which has a higher rank ({rank_new} over {rank_before}).")
            }
            Rule::LaterTime | Rule::GreaterKey if before == new => {
                format!("Repeated `{new}`: status unchanged, details updated.")
            }
            Rule::LaterTime => format!("Changed the status from `{before}` to `{new}`: same rank, later time."),
            Rule::GreaterKey => format!("Changed the status from `{before}` to `{new}`: same rank and time, greater key."),
            Rule::LowerRank => {
                format!("Arrived late: `{new}` (rank {rank_new}) does not replace `{before}` (rank {rank_before}).")
            }
            Rule::EarlierTime => format!("Arrived late: same rank as `{before}`, earlier time."),
            Rule::LesserKey => format!("Status `{before}` unchanged: same rank and time, lesser key."),
            Rule::NoStatus => format!("Recorded {}; it has no effect on the status.", event.event_type),
        };
        let inferred =
            if event.evidence.as_deref() == Some("inferred") { " The delivery is inferred from it, not reported." } else { "" };
        format!("{what}{inferred}{}{}{}", machine(event), delay(event), repetitions(event, request))
    }
}

/// The machine that opened or clicked, and what shows it.
fn machine(event: &StoredEvent) -> String {
    let Some(Automation { by, kind, detected_by }) =
        event.engagement.as_ref().and_then(|engagement| engagement.automation.as_ref())
    else {
        return String::new();
    };
    let kind = match kind {
        AutomationKind::Prefetch => "prefetching, which says nothing about a person",
        AutomationKind::Proxy => "the image proxy of a mail service, mostly when a person opens the e-mail",
        AutomationKind::Scanner => "a security scanner",
        AutomationKind::Bot => "a program",
    };
    let sign = match detected_by {
        Detection::UserAgent => "user agent",
        Detection::IpAddress => "address",
        Detection::Timing => "haste",
    };
    format!(" Not by a person: `{by}`, {kind} (recognized by its {sign}).")
}

fn duplicates(event: &StoredEvent, request: Option<&RequestSummary>) -> i64 {
    event.duplicate_count + request.map_or(0, |request| request.duplicate_count)
}

fn repetitions(event: &StoredEvent, request: Option<&RequestSummary>) -> String {
    let last = request.and_then(|request| request.last_duplicate_at).map(|at| format!(", last at {at}"));
    match duplicates(event, request) {
        0 => String::new(),
        1 => format!(" Received again once{}.", last.unwrap_or_default()),
        times => format!(" Received again {times} times{}.", last.unwrap_or_default()),
    }
}

/// Shorter delays are usual, in seconds.
const MIN_DELAY: i64 = 60;

fn delay(event: &StoredEvent) -> String {
    let Some(occurred_at) = event.occurred_at else { return String::new() };
    match event.received_at.seconds() - occurred_at.seconds() {
        seconds if seconds >= MIN_DELAY => format!(" Received {} after it occurred.", duration(seconds)),
        seconds if seconds <= -MIN_DELAY => {
            format!(" By the provider's clock it occurred {} after its receipt: one of the clocks is wrong.", duration(-seconds))
        }
        _ => String::new(),
    }
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn summary(message: &Message, timeline: &[TimelineEntry]) -> String {
    let at = message.status_at.map(|at| format!(" since {at}")).unwrap_or_default();
    let finality = if message.is_final { "final" } else { "not final" };
    let by = match (message.status.as_str(), message.evidence.as_deref()) {
        ("delivered", Some("inferred")) => ", inferred from a read or a click",
        ("delivered", Some("handset")) => ", confirmed by the handset",
        ("delivered", Some("carrier")) => ", confirmed by the carrier",
        ("delivered", Some("mta")) => ", confirmed by the receiving mail server",
        ("delivered", Some("provider")) => ", reported by the provider alone",
        _ => "",
    };
    let events = match (timeline.len(), timeline.iter().filter(|entry| entry.late).count()) {
        (0, _) => "no event yet".to_owned(),
        (1, _) => "one event".to_owned(),
        (events, 0) => format!("{events} events, none late"),
        (events, late) => format!("{events} events, {late} of them late"),
    };
    format!("`{}`{at} ({finality}{by}); {events}.", message.status)
}

fn matching(history: &MessageHistory) -> String {
    let MessageHistory { message, reference, .. } = history;
    let name = reference.as_deref().map(|reference| format!(" (reference `{reference}`)")).unwrap_or_default();
    let embedded = message.embedded_id.as_deref();
    let Some(id) = message.message_id else {
        let reason = match embedded {
            Some(embedded) => format!("it has the reference `{embedded}`, which is not registered for this provider and account"),
            None => "its external id is not registered, and it has no reference".to_owned(),
        };
        return format!(
            "Not matched to a message of the application: {reason}. Register it with POST /api/messages or with SQL; this row is then linked to it."
        );
    };
    let is_own = history.matched_id == message.message_id;
    match message.matched_by.as_deref().filter(|_| is_own) {
        Some("embedded") => {
            format!(
                "Message {id}{name}: matched by the reference `{}` that the provider returned (strategy `embedded`).",
                embedded.unwrap_or_default()
            )
        }
        Some("timestamp") => format!(
            "Message {id}{name}: guessed, because it is the only one on that channel to that recipient at about that time (strategy `timestamp`)."
        ),
        _ => format!("Message {id}{name}: mapped by the application (strategy `database`)."),
    }
}

fn error(message: &Message) -> Option<ErrorExplanation> {
    let category = message.error_category.clone()?;
    let advice = advice::advice(category.parse().unwrap_or(ErrorCategory::Unknown));
    Some(ErrorExplanation {
        code: message.error_code.clone(),
        message: message.error_message.clone(),
        category,
        permanence: message.error_permanence.clone(),
        meaning: advice.meaning,
        next: advice.next,
    })
}

fn warnings(history: &MessageHistory, timeline: &[TimelineEntry]) -> Vec<String> {
    let message = &history.message;
    let last = timeline.last().map(|entry| entry.status_after.as_str());
    let is_full = history.has_more;
    let unconfirmed: &str = EventType::MessageUnconfirmed.into();
    [
        (message.has_conflict, "Its events contradict each other: a delivery and a failure, or two different references."),
        (message.verified_by.as_deref() == Some("none"), "Not verified: the gateway ran with VERIFY_WEBHOOK_SIGNATURES=false."),
        (
            message.status == "unconfirmed",
            "No final status before the deadline: ask the provider, or check if its callbacks arrive.",
        ),
        (is_full, "It has more events than are shown."),
        (
            !is_full && last.is_some_and(|status| status != message.status),
            "The row differs from its stored events: `waybill rederive` shows the difference.",
        ),
        (
            message.status != "unconfirmed" && timeline.iter().any(|entry| entry.event_type == unconfirmed),
            "Its final status arrived after the deadline.",
        ),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, text)| text.to_owned())
    .collect()
}
