//! The story of one message in words: what came, which rule moved its status or did not, how it found the application's message,
//! and what to do about an error. Pure: everything is in what the store tells.

use std::ops::Deref;

use serde::Serialize;

use crate::{
    advice,
    event::EventType,
    status::ErrorCategory,
    store::{MAX_EVENTS, Message, RequestOfStory, Rule, StoredEvent, Story, StoryEvent},
};

/// A message's story.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// Its row.
    pub message: Message,
    /// The application's own key of it.
    pub reference: Option<String>,
    /// Its status in a sentence.
    pub summary: String,
    /// How it found the application's message, or why it did not.
    pub matching: String,
    /// What went wrong and what to do next.
    pub error: Option<ErrorInWords>,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// Its events in the order in which they came.
    pub timeline: Vec<Entry>,
}

/// An error and what follows from it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the first four are the columns of the message")]
pub struct ErrorInWords {
    pub code: Option<String>,
    pub message: Option<String>,
    pub category: String,
    pub permanence: Option<String>,
    /// What the category means.
    pub meaning: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// One event of the story.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Entry {
    /// The event as it is stored.
    #[serde(flatten)]
    pub event: StoredEvent,
    /// The status before it came.
    pub status_before: String,
    /// The status after it came.
    pub status_after: String,
    /// Whether it moved the status.
    pub moved: bool,
    /// Whether it came after a status that it could no longer change.
    pub late: bool,
    /// What it did, in a sentence.
    pub sentence: String,
    /// How often it came again, alone or with its request.
    pub duplicates: i64,
    /// The request that brought it, if one did.
    pub request: Option<RequestOfStory>,
}

impl Deref for Entry {
    type Target = StoredEvent;

    fn deref(&self) -> &StoredEvent {
        &self.event
    }
}

impl From<Story> for Explanation {
    fn from(story: Story) -> Self {
        let mut state = State { status: "registered".to_owned(), key: Vec::new() };
        let timeline: Vec<Entry> = story.events.iter().map(|event| state.meet(event)).collect();
        Self {
            summary: summary(&story.message, &timeline),
            matching: matching(&story),
            error: error(&story.message),
            warnings: warnings(&story, &timeline),
            reference: story.reference,
            message: story.message,
            timeline,
        }
    }
}

/// The status so far, and what decides it.
struct State {
    status: String,
    key: Vec<u8>,
}

impl State {
    /// Lets an event meet it, as it did when it came.
    fn meet(&mut self, StoryEvent { event, state_key, request }: &StoryEvent) -> Entry {
        let rule = Rule::of(Some(&self.key), state_key, event.status.is_some());
        let before = self.status.clone();
        let sentence = self.sentence(event, state_key, rule, request.as_ref());
        if *state_key > self.key {
            self.key.clone_from(state_key);
            self.status.clone_from(event.status.as_ref().unwrap_or(&before));
        }
        Entry {
            event: event.clone(),
            status_before: before,
            status_after: self.status.clone(),
            moved: rule.moves(),
            late: matches!(rule, Rule::LowerRank | Rule::EarlierTime),
            sentence,
            duplicates: duplicates(event, request.as_ref()),
            request: request.clone(),
        }
    }

    fn sentence(&self, event: &StoredEvent, state_key: &[u8], rule: Rule, request: Option<&RequestOfStory>) -> String {
        let (before, new) = (self.status.as_str(), event.status.as_deref().unwrap_or_default());
        let [rank_before, rank_new] = [&self.key, state_key].map(|key| key.first().copied().unwrap_or_default());
        let what = match rule {
            Rule::First => format!("The first that was heard: the status became `{new}`."),
            Rule::HigherRank => {
                format!("Moved the status from `{before}` to `{new}`, which outranks it ({rank_new} over {rank_before}).")
            }
            Rule::LaterTime | Rule::GreaterKey if before == new => {
                format!("Told `{new}` once more; the status stays, with this report's details.")
            }
            Rule::LaterTime => format!("Moved the status from `{before}` to `{new}`: of the same rank, and it happened later."),
            Rule::GreaterKey => format!(
                "Moved the status from `{before}` to `{new}`: same rank and time, and of two keys the greater one counts."
            ),
            Rule::LowerRank => {
                format!("Came late: `{new}` ({rank_new}) does not undo `{before}` ({rank_before}).")
            }
            Rule::EarlierTime => format!("Came late: of the same rank as `{before}`, and it happened earlier."),
            Rule::LesserKey => format!("Did not move `{before}`: same rank and time, and of two keys the greater one counts."),
            Rule::NoStatus => format!("Added a fact ({}); it says nothing about delivery.", event.event_type),
        };
        let inferred =
            if event.evidence.as_deref() == Some("inferred") { " The delivery is concluded from it, not reported." } else { "" };
        format!("{what}{inferred}{}{}", lag(event), again(event, request))
    }
}

fn duplicates(event: &StoredEvent, request: Option<&RequestOfStory>) -> i64 {
    event.duplicate_count + request.map_or(0, |request| request.duplicate_count)
}

fn again(event: &StoredEvent, request: Option<&RequestOfStory>) -> String {
    let last = request.and_then(|request| request.last_duplicate_at).map(|at| format!(", the last time at {at}"));
    match duplicates(event, request) {
        0 => String::new(),
        1 => format!(" It came once more{}.", last.unwrap_or_default()),
        times => format!(" It came {times} more times{}.", last.unwrap_or_default()),
    }
}

/// A minute: less is how networks are.
const NOTEWORTHY: i64 = 60;

fn lag(event: &StoredEvent) -> String {
    let Some(occurred_at) = event.occurred_at else { return String::new() };
    match event.received_at.seconds() - occurred_at.seconds() {
        seconds if seconds >= NOTEWORTHY => format!(" It was heard {} after it happened.", span(seconds)),
        seconds if seconds <= -NOTEWORTHY => {
            format!(" By the provider's clock it happened {} after it was heard: one of the clocks is wrong.", span(-seconds))
        }
        _ => String::new(),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn summary(message: &Message, timeline: &[Entry]) -> String {
    let at = message.status_at.map(|at| format!(" since {at}")).unwrap_or_default();
    let finality = if message.is_final { "final" } else { "not final" };
    let by = match (message.status.as_str(), message.evidence.as_deref()) {
        ("delivered", Some("inferred")) => ", concluded from a read or a click",
        ("delivered", Some("handset")) => ", vouched for by the handset",
        ("delivered", Some("carrier")) => ", vouched for by the carrier",
        ("delivered", Some("mta")) => ", vouched for by the receiving mail server",
        ("delivered", Some("provider")) => ", vouched for by the provider alone",
        _ => "",
    };
    let came = match (timeline.len(), timeline.iter().filter(|entry| entry.late).count()) {
        (0, _) => "nothing was heard of it yet".to_owned(),
        (1, _) => "one event".to_owned(),
        (events, 0) => format!("{events} events, all in order"),
        (events, late) => format!("{events} events, {late} of them late"),
    };
    format!("`{}`{at} ({finality}{by}); {came}.", message.status)
}

fn matching(story: &Story) -> String {
    let Story { message, reference, .. } = story;
    let name = reference.as_deref().map(|reference| format!(" (reference `{reference}`)")).unwrap_or_default();
    let embedded = message.embedded_id.as_deref();
    let Some(id) = message.message_id else {
        let why = match embedded {
            Some(embedded) => format!("it carries `{embedded}`, which is no registered reference"),
            None => "its external id was never registered, and it carries no reference".to_owned(),
        };
        return format!(
            "Not matched to a message of the application: {why}. Register it with POST /api/messages or plain SQL; then this row is adopted."
        );
    };
    let is_own = story.matched_id == message.message_id;
    match message.matched_by.as_deref().filter(|_| is_own) {
        Some("embedded") => {
            format!("Message {id}{name}: the provider carried `{}` (strategy `embedded`).", embedded.unwrap_or_default())
        }
        Some("timestamp") => format!(
            "Message {id}{name}: guessed, as the only one by that channel to that recipient at about that time (strategy `timestamp`)."
        ),
        _ => format!("Message {id}{name}: mapped by the application (strategy `database`)."),
    }
}

fn error(message: &Message) -> Option<ErrorInWords> {
    let category = message.error_category.clone()?;
    let advice = advice::of(category.parse().unwrap_or(ErrorCategory::Unknown));
    Some(ErrorInWords {
        code: message.error_code.clone(),
        message: message.error_message.clone(),
        category,
        permanence: message.error_permanence.clone(),
        meaning: advice.meaning,
        next: advice.next,
    })
}

fn warnings(story: &Story, timeline: &[Entry]) -> Vec<String> {
    let Story { message, .. } = story;
    let last = timeline.last().map(|entry| entry.status_after.as_str());
    let is_full = i64::try_from(timeline.len()).is_ok_and(|events| events >= MAX_EVENTS);
    let unconfirmed: &str = EventType::MessageUnconfirmed.into();
    [
        (message.has_conflict, "Its reports contradict each other: a receipt and a failure, or two different references."),
        (
            message.verified_by.as_deref() == Some("none"),
            "Nothing of it was verified: the gateway ran with VERIFY_WEBHOOK_SIGNATURES=false.",
        ),
        (
            message.status == "unconfirmed",
            "No final report came before the deadline: ask the provider, or look whether its callbacks arrive at all.",
        ),
        (is_full, "It has more events than are shown here."),
        (
            !is_full && last.is_some_and(|status| status != message.status),
            "The row differs from what its stored events make: `waybill rederive` shows the difference.",
        ),
        (
            message.status != "unconfirmed" && timeline.iter().any(|entry| entry.event_type == unconfirmed),
            "Its report came after the deadline.",
        ),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, text)| text.to_owned())
    .collect()
}
