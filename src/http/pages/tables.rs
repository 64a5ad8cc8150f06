//! The lists of inbound messages, calls and rooms.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde_json::Value;

use super::{
    components::{Badge, RelativeTime, Severity, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Section},
    query::{Filters, LIMIT},
};
use crate::{
    event::CallState,
    store::{Call, CallFilter, Cursor, InboundFilter, InboundMessage, Page, Room, RoomFilter},
};

#[derive(Template)]
#[template(path = "table.html")]
struct Table {
    layout: Layout,
    texts: Texts,
    rows: Vec<Vec<Cell>>,
    next_page: Option<String>,
}

/// The fixed texts of one list.
struct Texts {
    description: &'static str,
    columns: &'static [&'static str],
    empty_title: &'static str,
    empty_hint: &'static str,
}

enum Cell {
    Text(String),
    /// Text of any length.
    Long(String),
    Id(String),
    Badge(Badge),
    Time(RelativeTime),
    Empty,
}

impl Cell {
    fn is_wide(&self) -> bool {
        matches!(self, Self::Long(_) | Self::Id(_))
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

impl Table {
    fn new<T>(context: &Context, section: Section, texts: Texts, page: Page<T>, row: impl Fn(T) -> Vec<Cell>) -> Self {
        let next_page = page.next_cursor.map(|cursor: Cursor| section.with_query(&[("cursor", &cursor.to_string())]));
        let rows = page.items.into_iter().map(row).collect();
        Self { layout: context.layout(section, section.title()), texts, rows, next_page }
    }
}

type FiltersQuery = Result<Query<Filters>, Error>;

fn cursor(context: &Context, query: FiltersQuery) -> Result<Option<Cursor>, ErrorPage> {
    let filters = query.ok().and_then(|query| query.into_inner().validated());
    filters.and_then(|filters| filters.cursor().ok()).ok_or_else(|| context.error(PageError::InvalidFilter))
}

pub(super) async fn inbound(context: Context, query: FiltersQuery) -> Result<HttpResponse, ErrorPage> {
    let filter = InboundFilter { cursor: cursor(&context, query)?, limit: LIMIT, ..InboundFilter::default() };
    let page = context.query(move |store| store.inbound_messages(&filter)).await?;
    let texts = Texts {
        description: "Messages received from your recipients, newest first.",
        columns: &["From", "To", "Text", "Type", "Provider", "Received"],
        empty_title: "No inbound messages yet",
        empty_hint: "Inbound messages appear here once the inbound webhook of a number points to this gateway.",
    };
    context.render(&Table::new(&context, Section::Inbound, texts, page, |message| inbound_row(message, &context)))
}

fn inbound_row(message: InboundMessage, context: &Context) -> Vec<Cell> {
    let words = [message.subject, message.text].into_iter().flatten().collect::<Vec<String>>().join(" — ");
    let attachments = message.media.0.as_array().map_or(0, Vec::len);
    let text = match (words, attachments) {
        (text, 0) => text,
        (text, 1) => format!("{text} [1 attachment]").trim().to_owned(),
        (text, count) => format!("{text} [{count} attachments]").trim().to_owned(),
    };
    let kind = match (message.opt_out.as_deref(), message.is_partial) {
        (Some("stop"), _) => Cell::Badge(Badge::new(Severity::Failure, "opt-out")),
        (Some("start"), _) => Cell::Badge(Badge::new(Severity::Success, "opt-in")),
        (Some(keyword), _) => Cell::Badge(Badge::new(Severity::Pending, keyword)),
        (None, true) => {
            Cell::Badge(Badge::new(Severity::Warning, format!("{} of {} parts", message.parts_received, message.parts_total)))
        }
        (None, false) => message.channel.into(),
    };
    vec![
        message.sender.into(),
        message.recipient.or(message.received_for).into(),
        if text.is_empty() { Cell::Empty } else { Cell::Long(text) },
        kind,
        Cell::Text(endpoint_name(&message.service_type, &message.account)),
        Cell::Time(context.relative_time(message.received_at)),
    ]
}

pub(super) async fn calls(context: Context, query: FiltersQuery) -> Result<HttpResponse, ErrorPage> {
    let filter = CallFilter { cursor: cursor(&context, query)?, limit: LIMIT, ..CallFilter::default() };
    let page = context.query(move |store| store.calls(&filter)).await?;
    let texts = Texts {
        description: "Phone calls and their latest state, newest first.",
        columns: &["State", "Call", "From", "To", "Duration", "Provider", "Updated"],
        empty_title: "No calls yet",
        empty_hint: "A call appears here with its first callback.",
    };
    context.render(&Table::new(&context, Section::Calls, texts, page, |call| call_row(call, &context)))
}

fn call_row(call: Call, context: &Context) -> Vec<Cell> {
    let state = match &call.end_reason {
        Some(reason) => format!("{}: {}", call.status, reason.replace('_', " ")),
        None => call.status.clone(),
    };
    let severity = match (call.status.parse(), call.answered_at) {
        (Ok(CallState::Ended), Some(_)) => Severity::Success,
        (Ok(CallState::Ended), None) | (Err(_), _) => Severity::Neutral,
        (Ok(_), _) => Severity::Pending,
    };
    vec![
        Cell::Badge(Badge::new(severity, state)),
        Cell::Id(call.external_id),
        call.sender.into(),
        call.recipient.into(),
        call.answered_seconds.map(|seconds| format!("{seconds} s")).into(),
        Cell::Text(endpoint_name(&call.service_type, &call.account)),
        Cell::Time(context.relative_time(call.updated_at)),
    ]
}

pub(super) async fn rooms(context: Context, query: FiltersQuery) -> Result<HttpResponse, ErrorPage> {
    let filter = RoomFilter { cursor: cursor(&context, query)?, limit: LIMIT, ..RoomFilter::default() };
    let page = context.query(move |store| store.rooms(&filter)).await?;
    let texts = Texts {
        description: "Video room sessions, newest first.",
        columns: &["State", "Room", "Members", "Recordings", "Started", "Ended", "Provider"],
        empty_title: "No rooms yet",
        empty_hint: "A room session appears here with its first callback.",
    };
    context.render(&Table::new(&context, Section::Rooms, texts, page, |room| room_row(room, &context)))
}

fn room_row(room: Room, context: &Context) -> Vec<Cell> {
    let count = |list: &Value| Cell::Text(list.as_array().map_or(0, Vec::len).to_string());
    let severity = if room.status == "started" { Severity::Pending } else { Severity::Neutral };
    vec![
        Cell::Badge(Badge::new(severity, room.status)),
        Cell::Id(room.name.unwrap_or(room.external_id)),
        count(&room.members.0),
        count(&room.recordings.0),
        Cell::Time(context.relative_time(room.started_at)),
        Cell::Time(context.relative_time(room.ended_at)),
        Cell::Text(endpoint_name(&room.service_type, &room.account)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn page_without_rows_links_to_the_next_page() {
        let now = Timestamp::from_seconds(1_773_502_200).expect("an instant");
        let page = |next_page: Option<&str>| {
            let layout = Layout {
                title: Section::Calls.title().to_owned(),
                section: Some(Section::Calls),
                now,
                may_write: false,
                is_unverified: false,
                search: String::new(),
            };
            let texts = Texts { description: "", columns: &[], empty_title: "No calls", empty_hint: "Nothing yet." };
            Table { layout, texts, rows: Vec::new(), next_page: next_page.map(str::to_owned) }.render().expect("a page")
        };
        assert!(page(None).contains("Nothing yet."));
        let unfinished = page(Some("/calls?cursor=x"));
        assert!(!unfinished.contains("Nothing yet."), "{unfinished}");
        assert!(unfinished.contains(r#"<a href="/calls?cursor=x" rel="next">"#), "{unfinished}");
    }
}
