//! Requests as they came: what is kept and not applied, what was rejected, and what was done with the rest.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;

use super::{
    frame::{Choice, Frame, Section},
    part::{Badge, Moment, Tone, endpoint},
    problem::{Problem, Trouble},
    query::{Filters, LIMIT},
    visit::Visit,
};
use crate::{
    providers,
    store::{RequestFilter, RequestState, StoredRequest},
};

#[derive(Template)]
#[template(path = "requests.html")]
struct List {
    frame: Frame,
    asked: Filters,
    state: RequestState,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
}

struct Row {
    id: String,
    state: Badge,
    endpoint: String,
    method: String,
    url: String,
    reason: Option<String>,
    finding: Option<String>,
    times: i64,
    is_unverified: bool,
    at: Moment,
}

/// The state's badge.
pub(super) fn badge(state: &str) -> Badge {
    let tone = match state.parse() {
        Ok(RequestState::Processed) => Tone::Good,
        Ok(RequestState::Quarantined) => Tone::Warn,
        Ok(RequestState::Rejected) => Tone::Bad,
        Ok(RequestState::Discarded) | Err(_) => Tone::Idle,
    };
    Badge::new(tone, state)
}

impl Row {
    fn new(request: StoredRequest, visit: &Visit) -> Self {
        Self {
            id: request.id.to_string(),
            state: badge(&request.state),
            endpoint: endpoint(&request.service_type, &request.account),
            method: request.method,
            url: request.url,
            reason: request.reason,
            finding: request.finding,
            times: request.duplicate_count + 1,
            is_unverified: request.verified_by.as_deref() == Some("none"),
            at: visit.moment(request.received_at),
        }
    }
}

impl List {
    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn providers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::ALL.into_iter().map(|spec| (spec.name, spec.title))
    }
}

pub(super) async fn list(visit: Visit, query: Result<Query<Filters>, Error>) -> Result<HttpResponse, Problem> {
    let unread = || visit.problem(Trouble::Query);
    let asked = query.ok().and_then(|query| query.into_inner().tidy()).ok_or_else(unread)?;
    let filter = filter(&asked).map_err(|()| unread())?;
    // What waits for somebody is what one comes for.
    let state = filter.state.unwrap_or(RequestState::Quarantined);
    let filter = RequestFilter { state: Some(state), ..filter };
    let page = visit.ask(move |store| store.requests(&filter)).await?;
    let address = |state: &str, cursor: &str| {
        let Filters { provider, account, .. } = &asked;
        Section::Requests.with(&[("state", state), ("provider", provider), ("account", account), ("cursor", cursor)])
    };
    let states = [
        (RequestState::Quarantined, "Quarantined"),
        (RequestState::Rejected, "Rejected"),
        (RequestState::Processed, "Processed"),
        (RequestState::Discarded, "Discarded"),
    ];
    let choice = |(one, title): (RequestState, &str)| Choice {
        path: address(one.as_ref(), ""),
        title: title.to_owned(),
        is_here: one == state,
    };
    let list = List {
        frame: visit.frame(Section::Requests, "Requests"),
        choices: states.map(choice).into(),
        older: page.next_cursor.map(|cursor| address(state.as_ref(), &cursor.to_string())),
        rows: page.items.into_iter().map(|request| Row::new(request, &visit)).collect(),
        state,
        asked,
    };
    visit.show(&list)
}

fn filter(asked: &Filters) -> Result<RequestFilter, ()> {
    Ok(RequestFilter {
        state: asked.state()?,
        service_type: asked.service_type()?,
        account: asked.account(),
        cursor: asked.cursor()?,
        limit: LIMIT,
        ..RequestFilter::default()
    })
}
