//! One request as it came, and what can be done with it.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{
    actions::Done,
    body::Shown,
    frame::{Frame, Section},
    part::{Badge, Moment, Prose, endpoint},
    problem::{Problem, Trouble},
    requests::badge,
    visit::Visit,
};
use crate::store::{RequestId, StoredRequest};

#[derive(Template)]
#[template(path = "request.html")]
struct Page {
    frame: Frame,
    id: String,
    state: Badge,
    endpoint: String,
    request: StoredRequest,
    finding: Option<Prose>,
    is_unverified: bool,
    received: Moment,
    again: Moment,
    headers: Vec<(String, String)>,
    body: Option<Shown>,
    done: Done,
    /// The form's field, for who may change something.
    csrf: Option<String>,
}

impl Page {
    fn is(&self, state: &str) -> bool {
        self.request.state == state
    }
}

/// The kept headers, as pairs.
fn headers(request: &StoredRequest) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = request.headers.0.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), text(value))).collect()
}

pub(super) async fn show(visit: Visit, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| visit.problem(Trouble::NotFound))?;
    page(&visit, id, Done::default()).await
}

/// The request's page as it is now, with what was just done to it.
pub(super) async fn page(visit: &Visit, id: RequestId, done: Done) -> Result<HttpResponse, Problem> {
    let missing = || visit.problem(Trouble::NotFound);
    let found = visit.ask(move |store| Ok(store.request(id)?.zip(Some(store.request_body(id)?)))).await?;
    let (request, body) = found.ok_or_else(missing)?;
    let headers = headers(&request);
    let is_form = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.to_ascii_lowercase().contains(crate::form::MEDIA_TYPE)
    });
    let page = Page {
        frame: visit.frame(Section::Requests, format!("Request {id}")),
        id: id.to_string(),
        state: badge(&request.state),
        endpoint: endpoint(&request.service_type, &request.account),
        finding: request.finding.as_deref().map(Prose::new),
        is_unverified: request.verified_by.as_deref() == Some("none"),
        received: visit.moment(request.received_at),
        again: visit.moment(request.last_duplicate_at),
        body: body.map(|body| Shown::new(&body, is_form)),
        csrf: visit.form_field(),
        headers,
        request,
        done,
    };
    visit.show(&page)
}
