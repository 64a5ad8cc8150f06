//! Lists as tables: inbound messages, calls and rooms.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde_json::Value;
use strum::VariantArray;

use super::{
    components::{Badge, RelativeTime, Severity, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    filter_form::{Control, Field, FilterForm},
    layout::{Layout, Link, Section},
    query::{Filters, LIMIT},
};
use crate::{
    event::CallState,
    store::{Call, CallFilter, Cursor, InboundFilter, InboundMessage, Page, Room, RoomFilter},
};

#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct Table {
    pub(super) layout: Layout,
    pub(super) texts: Texts,
    /// Links to the lists of each state.
    pub(super) choices: Vec<Link>,
    /// A sentence about this page.
    pub(super) note: Option<String>,
    pub(super) form: FilterForm,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) next_page: Option<String>,
}

/// The fixed texts of one list.
pub(super) struct Texts {
    pub(super) description: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) empty_title: &'static str,
    pub(super) empty_hint: &'static str,
}

pub(super) enum Cell {
    Text(String),
    /// Text of any length.
    Long(String),
    Id(String),
    Badge(Badge),
    Time(RelativeTime),
    Link(Link),
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
    pub(super) fn new<T>(
        context: &Context,
        section: Section,
        texts: Texts,
        form: FilterForm,
        page: Page<T>,
        row: impl Fn(T) -> Vec<Cell>,
    ) -> Self {
        let next_page = page.next_cursor.map(|cursor: Cursor| form.filters.href(section, &cursor.to_string()));
        let rows = page.items.into_iter().map(row).collect();
        Self { layout: context.layout(section, section.title()), texts, choices: Vec::new(), note: None, form, rows, next_page }
    }
}

type FiltersQuery = Result<Query<Filters>, Error>;

/// The filters of a query, and the store's filter that they make.
fn parsed<F>(
    context: &Context,
    query: FiltersQuery,
    filter: impl Fn(&Filters) -> Result<F, ()>,
) -> Result<(Filters, F), ErrorPage> {
    let filters = query.ok().and_then(|query| query.into_inner().validated(context.now));
    let parsed = filters.and_then(|filters| filter(&filters).ok().map(|filter| (filters, filter)));
    parsed.ok_or_else(|| context.error(PageError::InvalidFilter))
}

/// The store's filter of a list: its own conditions, and those of every list.
macro_rules! list_filter {
    ($filters:ident, $Filter:ident { $($field:ident: $value:expr),* }) => {{
        let (since, until) = $filters.range();
        Ok($Filter {
            $($field: $value,)*
            service_type: $filters.service_type()?,
            account: $filters.account(),
            since,
            until,
            cursor: $filters.cursor()?,
            limit: LIMIT,
        })
    }};
}

pub(super) async fn inbound(context: Context, query: FiltersQuery) -> Result<HttpResponse, ErrorPage> {
    let (filters, filter) =
        parsed(&context, query, |filters| list_filter!(filters, InboundFilter { sender: filters.address(), recipient: None }))?;
    let page = context.query(move |store| store.inbound_messages(&filter)).await?;
    let texts = Texts {
        description: "Messages received from your recipients, newest first.",
        columns: &["From", "To", "Text", "Type", "Provider", "Received"],
        empty_title: "No inbound messages yet",
        empty_hint: "Inbound messages appear here once the inbound webhook of a number points to this gateway.",
    };
    let form = FilterForm::new(Section::Inbound, vec![Field::search("From number or address", &filters.q)], filters);
    context.render(&Table::new(&context, Section::Inbound, texts, form, page, |message| inbound_row(message, &context)))
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
    let (filters, filter) = parsed(&context, query, |filters| list_filter!(filters, CallFilter { status: filters.status()? }))?;
    let page = context.query(move |store| store.calls(&filter)).await?;
    let texts = Texts {
        description: "Phone calls and their latest state, newest first.",
        columns: &["State", "Call", "From", "To", "Duration", "Provider", "Updated"],
        empty_title: "No calls yet",
        empty_hint: "A call appears here with its first callback.",
    };
    let states = CallState::VARIANTS.iter().map(Into::into).collect();
    let form = FilterForm::new(Section::Calls, vec![Field::words("State", "status", &filters.status, states)], filters);
    context.render(&Table::new(&context, Section::Calls, texts, form, page, |call| call_row(call, &context)))
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
    let (filters, filter) = parsed(&context, query, |filters| list_filter!(filters, RoomFilter { status: filters.status()? }))?;
    let page = context.query(move |store| store.rooms(&filter)).await?;
    let texts = Texts {
        description: "Video room sessions, newest first.",
        columns: &["State", "Room", "Members", "Recordings", "Started", "Ended", "Provider"],
        empty_title: "No rooms yet",
        empty_hint: "A room session appears here with its first callback.",
    };
    let states = vec!["started", "ended"];
    let form = FilterForm::new(Section::Rooms, vec![Field::words("State", "status", &filters.status, states)], filters);
    context.render(&Table::new(&context, Section::Rooms, texts, form, page, |room| room_row(room, &context)))
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
                queue: None,
                search: String::new(),
            };
            let texts = Texts { description: "", columns: &[], empty_title: "No calls", empty_hint: "Nothing yet." };
            let form = FilterForm::new(Section::Calls, Vec::new(), Filters::default());
            let next_page = next_page.map(str::to_owned);
            let table = Table { layout, texts, choices: Vec::new(), note: None, form, rows: Vec::new(), next_page };
            table.render().expect("a page")
        };
        assert!(page(None).contains("Nothing yet."));
        let unfinished = page(Some("/calls?cursor=x"));
        assert!(!unfinished.contains("Nothing yet."), "{unfinished}");
        assert!(unfinished.contains(r#"<a href="/calls?cursor=x" rel="next">"#), "{unfinished}");
    }
}
