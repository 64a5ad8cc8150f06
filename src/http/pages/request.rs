//! The page of one request: the request as received, and the actions on it.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{
    action_result::ActionResult,
    body::BodyView,
    components::{Badge, Markup, RelativeTime, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Section},
    requests::state_badge,
};
use crate::store::{RequestId, StoredRequest};

#[derive(Template)]
#[template(path = "request.html")]
struct Page {
    layout: Layout,
    id: String,
    state: Badge,
    endpoint: String,
    request: StoredRequest,
    finding: Option<Markup>,
    is_unverified: bool,
    received: RelativeTime,
    last_duplicate: RelativeTime,
    headers: Vec<(String, String)>,
    body: Option<BodyView>,
    result: ActionResult,
    /// `None` for read-only access.
    csrf_token: Option<String>,
}

impl Page {
    fn is_in(&self, state: &str) -> bool {
        self.request.state == state
    }
}

fn headers(request: &StoredRequest) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = request.headers.0.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), text(value))).collect()
}

pub(super) async fn show(context: Context, id: web::Path<String>) -> Result<HttpResponse, ErrorPage> {
    let id = id.parse().map_err(|_| context.error(PageError::NotFound))?;
    page(&context, id, ActionResult::default()).await
}

/// The request's page, with the result of an action on it.
pub(super) async fn page(context: &Context, id: RequestId, result: ActionResult) -> Result<HttpResponse, ErrorPage> {
    let found = context.query(move |store| Ok(store.request(id)?.zip(Some(store.request_body(id)?)))).await?;
    let (request, body) = found.ok_or_else(|| context.error(PageError::NotFound))?;
    let headers = headers(&request);
    let is_form = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.to_ascii_lowercase().contains(crate::form::MEDIA_TYPE)
    });
    let page = Page {
        layout: context.layout(Section::Requests, format!("Request {id}")),
        id: id.to_string(),
        state: state_badge(&request.state),
        endpoint: endpoint_name(&request.service_type, &request.account),
        finding: request.finding.as_deref().map(Markup::new),
        is_unverified: request.verified_by.as_deref() == Some("none"),
        received: context.relative_time(request.received_at),
        last_duplicate: context.relative_time(request.last_duplicate_at),
        body: body.map(|body| BodyView::new(&body, is_form)),
        csrf_token: context.csrf_token(),
        headers,
        request,
        result,
    };
    context.render(&page)
}
