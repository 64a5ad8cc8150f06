//! What can be done with a kept request. Every form is answered by its own page: what was done, or why it was not.

use actix_web::{HttpResponse, web};

use super::{
    login::Confirmed,
    part::{Badge, Tone},
    problem::{Problem, Trouble},
    request,
    visit::Visit,
};
use crate::{
    replay::{ReplayError, Replayed, replay},
    store::{Change, RequestId},
};

/// What was done, or would be, and the rows that it changes.
#[derive(Default)]
pub(super) struct Done {
    pub(super) said: Option<Badge>,
    pub(super) changes: Vec<Row>,
}

/// A row that changes, and its columns before and after.
pub(super) struct Row {
    pub(super) external_id: String,
    pub(super) is_new: bool,
    pub(super) columns: Vec<(String, String, String)>,
}

impl From<Change> for Row {
    fn from(change: Change) -> Self {
        let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let columns = change.columns.into_iter().map(|(name, (before, after))| (name, text(before), text(after)));
        Self { external_id: change.external_id, is_new: change.is_new, columns: columns.collect() }
    }
}

impl Done {
    fn said(tone: Tone, sentence: impl Into<String>) -> Self {
        Self { said: Some(Badge::new(tone, sentence)), changes: Vec::new() }
    }

    fn replayed(Replayed { events, changes }: Replayed, is_dry: bool) -> Self {
        let sentence = match (is_dry, events) {
            (true, 0) => "Replaying would apply nothing: it carries no event.".to_owned(),
            (true, events) => format!("Replaying would apply {events} event(s). Nothing was changed yet."),
            (false, events) => format!("Replayed: {events} event(s) applied."),
        };
        let tone = if is_dry { Tone::Flow } else { Tone::Good };
        Self { changes: changes.into_iter().map(Row::from).collect(), ..Self::said(tone, sentence) }
    }
}

pub(super) async fn preview(confirmed: Confirmed, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    reread(confirmed, &id, true).await
}

pub(super) async fn apply(confirmed: Confirmed, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    reread(confirmed, &id, false).await
}

async fn reread(Confirmed(visit): Confirmed, id: &str, is_dry: bool) -> Result<HttpResponse, Problem> {
    let id = authentic(&visit, id)?;
    let endpoints: Vec<_> = visit.gateway.endpoints().collect();
    let done = match replay(&visit.gateway.store, &endpoints, id, is_dry).await {
        Ok(replayed) => Done::replayed(replayed, is_dry),
        Err(ReplayError::NotApplied(why)) => Done::said(Tone::Bad, format!("Not applied: {why}.")),
        Err(ReplayError::Store(_)) => return Err(visit.problem(Trouble::Unavailable)),
    };
    request::page(&visit, RequestId::Authentic(id), done).await
}

pub(super) async fn discard(Confirmed(visit): Confirmed, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = authentic(&visit, &id)?;
    let done = match visit.gateway.store.discard(id).await {
        Ok(true) => Done::said(Tone::Good, "Discarded: it stays stored and is not applied."),
        Ok(false) => Done::said(Tone::Bad, "Not discarded: it is not quarantined."),
        Err(_) => return Err(visit.problem(Trouble::Unavailable)),
    };
    request::page(&visit, RequestId::Authentic(id), done).await
}

fn authentic(visit: &Visit, id: &str) -> Result<i64, Problem> {
    match id.parse() {
        Ok(RequestId::Authentic(id)) => Ok(id),
        _ => Err(visit.problem(Trouble::NotFound)),
    }
}
