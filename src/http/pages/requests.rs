//! The list of requests by state: quarantined, rejected, processed, discarded.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;

use super::{
    components::{Badge, RelativeTime, Severity, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Link, Section},
    query::{Filters, LIMIT},
};
use crate::{
    providers,
    store::{RequestFilter, RequestState, StoredRequest},
};

#[derive(Template)]
#[template(path = "requests.html")]
struct List {
    layout: Layout,
    filters: Filters,
    state: RequestState,
    states: Vec<Link>,
    rows: Vec<Row>,
    next_page: Option<String>,
}

struct Row {
    id: String,
    state: Badge,
    endpoint: String,
    method: String,
    url: String,
    reason: Option<String>,
    finding: Option<String>,
    attempts: i64,
    is_unverified: bool,
    received: RelativeTime,
}

pub(super) fn state_badge(state: &str) -> Badge {
    let severity = match state.parse() {
        Ok(RequestState::Processed) => Severity::Success,
        Ok(RequestState::Quarantined) => Severity::Warning,
        Ok(RequestState::Rejected) => Severity::Failure,
        Ok(RequestState::Discarded) | Err(_) => Severity::Neutral,
    };
    Badge::new(severity, state)
}

impl Row {
    fn new(request: StoredRequest, context: &Context) -> Self {
        Self {
            id: request.id.to_string(),
            state: state_badge(&request.state),
            endpoint: endpoint_name(&request.service_type, &request.account),
            method: request.method,
            url: request.url,
            reason: request.reason,
            finding: request.finding,
            attempts: request.duplicate_count + 1,
            is_unverified: request.verified_by.as_deref() == Some("none"),
            received: context.relative_time(request.received_at),
        }
    }
}

impl List {
    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn providers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::ALL.iter().map(|spec| (spec.name, spec.title))
    }
}

pub(super) async fn list(context: Context, query: Result<Query<Filters>, Error>) -> Result<HttpResponse, ErrorPage> {
    let invalid = || context.error(PageError::InvalidFilter);
    let filters = query.ok().and_then(|query| query.into_inner().validated(context.now)).ok_or_else(invalid)?;
    let filter = request_filter(&filters).map_err(|()| invalid())?;
    // Quarantined requests need attention, so they come first.
    let state = filter.state.unwrap_or(RequestState::Quarantined);
    let filter = RequestFilter { state: Some(state), ..filter };
    let page = context.query(move |store| store.requests(&filter)).await?;
    let href = |state: &str, cursor: &str| Filters { state: state.to_owned(), ..filters.clone() }.href(Section::Requests, cursor);
    let states = [
        (RequestState::Quarantined, "Quarantined"),
        (RequestState::Rejected, "Rejected"),
        (RequestState::Processed, "Processed"),
        (RequestState::Discarded, "Discarded"),
    ];
    let link = |(one, label): (RequestState, &str)| Link {
        href: href(one.as_ref(), ""),
        label: label.to_owned(),
        is_current: one == state,
    };
    let list = List {
        layout: context.layout(Section::Requests, "Requests"),
        states: states.map(link).into(),
        next_page: page.next_cursor.map(|cursor| href(state.as_ref(), &cursor.to_string())),
        rows: page.items.into_iter().map(|request| Row::new(request, &context)).collect(),
        state,
        filters,
    };
    context.render(&list)
}

fn request_filter(filters: &Filters) -> Result<RequestFilter, ()> {
    let (since, until) = filters.range();
    Ok(RequestFilter {
        since,
        until,
        state: filters.state()?,
        service_type: filters.service_type()?,
        account: filters.account(),
        cursor: filters.cursor()?,
        limit: LIMIT,
    })
}
