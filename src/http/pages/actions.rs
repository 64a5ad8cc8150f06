//! What can be done with a kept request. Every form is answered by its own page: what was done, or why it was not.

use actix_web::{HttpResponse, http::header, web};

use super::{
    frame::Section,
    login::Confirmed,
    part::{Badge, Tone},
    problem::{Problem, Trouble},
    request,
    visit::Visit,
};
use crate::{
    replay::{self, ReplayError, Replayed},
    store::{Change, RequestId, RequestState},
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

    fn replayed(Replayed { applied, duplicate, events, changes, verified_by }: Replayed) -> Self {
        let (tone, sentence) = match (applied, duplicate, events, verified_by) {
            (_, true, ..) => (Tone::Good, "It had come again meanwhile: nothing was left to do.".to_owned()),
            (true, ..) => (Tone::Good, "Replayed: what it carries is applied.".to_owned()),
            (false, _, Some(events), _) => {
                (Tone::Flow, format!("It can be read now, events: {events}. Nothing was changed yet."))
            }
            (false, _, None, by) => {
                (Tone::Flow, format!("It is genuine now, by {}. Nothing was changed yet.", by.unwrap_or_default()))
            }
        };
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
    let id = number(&visit, id)?;
    let done = match replay::replay(&visit.gateway.store, visit.gateway.all_endpoints(), id, is_dry).await {
        Ok(replayed) => Done::replayed(replayed),
        Err(ReplayError::NotApplied(why)) => Done::said(Tone::Bad, format!("Not applied: {why}.")),
        Err(ReplayError::Store(_)) => return Err(visit.problem(Trouble::Unavailable)),
    };
    after(&visit, id, done).await
}

pub(super) async fn discard(Confirmed(visit): Confirmed, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = number(&visit, &id)?;
    let done = match replay::discard(&visit.gateway.store, id).await {
        Ok(true) => Done::said(Tone::Good, "Discarded: it is not applied."),
        Ok(false) => Done::said(Tone::Bad, "Not discarded: nothing of it waits any more."),
        Err(_) => return Err(visit.problem(Trouble::Unavailable)),
    };
    after(&visit, id, done).await
}

/// The request as it is now; one that is let go leaves the list.
async fn after(visit: &Visit, id: RequestId, done: Done) -> Result<HttpResponse, Problem> {
    match request::page(visit, id, done).await {
        Err(problem) if problem.is(Trouble::NotFound) => Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, Section::Requests.with(&[("state", RequestState::Rejected.as_ref())])))
            .finish()),
        shown => shown,
    }
}

fn number(visit: &Visit, id: &str) -> Result<RequestId, Problem> {
    id.parse().map_err(|_| visit.problem(Trouble::NotFound))
}
