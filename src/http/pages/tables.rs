//! The simple lists: inbound messages, calls, rooms.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde_json::Value;

use super::{
    frame::{Frame, Section},
    part::{Badge, Moment, Tone, endpoint},
    problem::{Problem, Trouble},
    query::{Filters, LIMIT},
    visit::Visit,
};
use crate::{
    event::CallState,
    store::{Call, CallFilter, Cursor, InboundFilter, InboundMessage, Page, Room, RoomFilter},
};

#[derive(Template)]
#[template(path = "table.html")]
struct Table {
    frame: Frame,
    about: &'static str,
    /// What is said when there is nothing.
    empty: &'static str,
    titles: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
    older: Option<String>,
}

enum Cell {
    Text(String),
    /// A text of any length.
    Long(String),
    Id(String),
    Badge(Badge),
    Moment(Moment),
    None,
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::None, Self::Text)
    }
}

/// What all of them have in common.
struct List {
    section: Section,
    about: &'static str,
    empty: &'static str,
    titles: &'static [&'static str],
}

impl List {
    fn show<T>(self, visit: &Visit, page: Page<T>, row: impl Fn(T) -> Vec<Cell>) -> Result<HttpResponse, Problem> {
        let Self { section, about, empty, titles } = self;
        let older = page.next_cursor.map(|cursor: Cursor| section.with(&[("cursor", &cursor.to_string())]));
        let rows = page.items.into_iter().map(row).collect();
        visit.show(&Table { frame: visit.frame(section, section.title()), about, empty, titles, rows, older })
    }
}

type Asked = Result<Query<Filters>, Error>;

fn cursor(visit: &Visit, query: Asked) -> Result<Option<Cursor>, Problem> {
    let asked = query.ok().and_then(|query| query.into_inner().tidy());
    asked.and_then(|asked| asked.cursor().ok()).ok_or_else(|| visit.problem(Trouble::Query))
}

pub(super) async fn inbound(visit: Visit, query: Asked) -> Result<HttpResponse, Problem> {
    let filter = InboundFilter { cursor: cursor(&visit, query)?, limit: LIMIT, ..InboundFilter::default() };
    let page = visit.ask(move |store| store.inbound(&filter)).await?;
    let list = List {
        section: Section::Inbound,
        about: "Messages that people sent to the application, newest first.",
        empty: "A message appears here when somebody writes to a number whose inbound URL leads to this gateway.",
        titles: &["From", "To", "Text", "Marks", "Provider", "Received"],
    };
    list.show(&visit, page, |message| inbound_row(message, &visit))
}

fn inbound_row(message: InboundMessage, visit: &Visit) -> Vec<Cell> {
    let media = message.media.0.as_array().map_or(0, Vec::len);
    let text = match (message.text.unwrap_or_default(), media) {
        (text, 0) => text,
        (text, 1) => format!("{text} [one attachment]").trim().to_owned(),
        (text, many) => format!("{text} [{many} attachments]").trim().to_owned(),
    };
    let mark = match (message.opt_out.as_deref(), message.is_partial) {
        (Some("stop"), _) => Cell::Badge(Badge::new(Tone::Bad, "opted out")),
        (Some("start"), _) => Cell::Badge(Badge::new(Tone::Good, "opted in")),
        (Some(word), _) => Cell::Badge(Badge::new(Tone::Flow, word)),
        (None, true) => {
            Cell::Badge(Badge::new(Tone::Warn, format!("{} of {} parts", message.parts_received, message.parts_total)))
        }
        (None, false) => message.channel.into(),
    };
    vec![
        message.sender.into(),
        message.recipient.into(),
        if text.is_empty() { Cell::None } else { Cell::Long(text) },
        mark,
        Cell::Text(endpoint(&message.service_type, &message.account)),
        Cell::Moment(visit.moment(message.received_at)),
    ]
}

pub(super) async fn calls(visit: Visit, query: Asked) -> Result<HttpResponse, Problem> {
    let filter = CallFilter { cursor: cursor(&visit, query)?, limit: LIMIT, ..CallFilter::default() };
    let page = visit.ask(move |store| store.calls(&filter)).await?;
    let list = List {
        section: Section::Calls,
        about: "Telephone calls, newest first, each with the state that is furthest.",
        empty: "A call appears here with its first callback.",
        titles: &["State", "Call", "From", "To", "Answered", "Provider", "Changed"],
    };
    list.show(&visit, page, |call| call_row(call, &visit))
}

fn call_row(call: Call, visit: &Visit) -> Vec<Cell> {
    let state = match &call.end_reason {
        Some(reason) => format!("{}: {}", call.status, reason.replace('_', " ")),
        None => call.status.clone(),
    };
    let tone = match (call.status.parse(), call.answered_at) {
        (Ok(CallState::Ended), Some(_)) => Tone::Good,
        (Ok(CallState::Ended), None) | (Err(_), _) => Tone::Idle,
        (Ok(_), _) => Tone::Flow,
    };
    vec![
        Cell::Badge(Badge::new(tone, state)),
        Cell::Id(call.external_id),
        call.sender.into(),
        call.recipient.into(),
        call.answered_seconds.map(|seconds| format!("{seconds} s")).into(),
        Cell::Text(endpoint(&call.service_type, &call.account)),
        Cell::Moment(visit.moment(call.updated_at)),
    ]
}

pub(super) async fn rooms(visit: Visit, query: Asked) -> Result<HttpResponse, Problem> {
    let filter = RoomFilter { cursor: cursor(&visit, query)?, limit: LIMIT, ..RoomFilter::default() };
    let page = visit.ask(move |store| store.rooms(&filter)).await?;
    let list = List {
        section: Section::Rooms,
        about: "Sessions of video rooms, newest first.",
        empty: "A session appears here with its first callback.",
        titles: &["State", "Room", "Members", "Recordings", "Started", "Ended", "Provider"],
    };
    list.show(&visit, page, |room| room_row(room, &visit))
}

fn room_row(room: Room, visit: &Visit) -> Vec<Cell> {
    let count = |list: &Value| Cell::Text(list.as_array().map_or(0, Vec::len).to_string());
    let tone = if room.status == "ended" { Tone::Idle } else { Tone::Flow };
    vec![
        Cell::Badge(Badge::new(tone, room.status)),
        Cell::Id(room.name.unwrap_or(room.external_id)),
        count(&room.members.0),
        count(&room.recordings.0),
        Cell::Moment(visit.moment(room.started_at)),
        Cell::Moment(visit.moment(room.ended_at)),
        Cell::Text(endpoint(&room.service_type, &room.account)),
    ]
}
