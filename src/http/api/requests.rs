//! `GET /api/requests`: what came in, as it came: stored, quarantined, discarded, rejected.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Problems,
    ask::{ask_for_one, list},
    listing,
    query::{filter, query},
};
use crate::{
    gateway::Gateway,
    store::{RequestFilter, RequestId, RequestState, StoredRequest},
};

query! {
    /// Which requests. Rejected ones only if they are asked for by their state.
    RequestsQuery {
        /// In this state.
        state: RequestState,
    }
}

listing!(Requests, requests: StoredRequest);

/// Requests, newest first: authentic ones, or rejected ones.
#[utoipa::path(get, path = "/api/requests", operation_id = "list_requests", tag = "requests", params(RequestsQuery),
    responses((status = 200, description = "One page", body = Requests), Problems))]
pub(in crate::http) async fn all(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: RequestsQuery| {
        let filter = filter!(query, RequestFilter { state: query.state });
        store.requests(&filter).map(Requests::from)
    })
    .await
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum BodyEncoding {
    /// As it came: it is UTF-8.
    Text,
    /// In base64.
    Base64,
}

/// A request and what it brought.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RequestWithBody {
    /// The request.
    request: StoredRequest,
    /// The exact body; null once it has expired.
    body: Option<String>,
    /// How it is written.
    body_encoding: Option<BodyEncoding>,
}

/// One request, with its body.
#[utoipa::path(get, path = "/api/requests/{id}", operation_id = "get_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected one", example = "12")),
    responses((status = 200, description = "The request", body = RequestWithBody), Problems))]
pub(in crate::http) async fn one(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<RequestId>().ok();
    ask_for_one(gateway, move |store| {
        let Some(id) = id else { return Ok(None) };
        let Some(request) = store.request(id)? else { return Ok(None) };
        let (body, body_encoding) = match store.request_body(id)?.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), Some(BodyEncoding::Text)),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), Some(BodyEncoding::Base64)),
        };
        Ok(Some(RequestWithBody { request, body, body_encoding }))
    })
    .await
}
