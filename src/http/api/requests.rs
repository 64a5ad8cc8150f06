//! `GET /api/requests`: stored requests by state, and one request with its body.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    list::{list_body, list_filter, list_query},
    store_query::{respond_if_found, respond_to},
};
use crate::{
    gateway::Gateway,
    http::{api_error::ErrorResponses, query::Class},
    store::{RequestFilter, RequestId, RequestState, StoredRequest},
};

list_query! {
    /// Selects requests. Rejected requests are listed only with `state=rejected`.
    RequestsQuery {
        /// Only requests in this state.
        state: RequestState,
    }
}

list_body!(Requests, requests: StoredRequest);

/// Requests, newest first: verified requests, or rejected ones.
#[utoipa::path(get, path = "/api/requests", operation_id = "list_requests", tag = "requests", params(RequestsQuery),
    responses((status = 200, description = "One page", body = Requests), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: RequestsQuery| {
        let filter = list_filter!(parameters, RequestFilter { state: parameters.state });
        store.requests(&filter).map(Requests::from)
    })
    .await
}

/// Encoding of a body.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum BodyEncoding {
    /// UTF-8.
    Text,
    /// Base64.
    Base64,
}

/// A request and its body.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RequestWithBody {
    /// The request.
    request: StoredRequest,
    /// The body; null once it has expired. Secrets and signatures are masked as `***`; all other bytes are as received.
    body: Option<String>,
    /// The encoding of the body.
    body_encoding: Option<BodyEncoding>,
}

/// One request with its body.
#[utoipa::path(get, path = "/api/requests/{id}", operation_id = "get_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected request", example = "12")),
    responses((status = 200, description = "The request with its body", body = RequestWithBody), ErrorResponses))]
pub(in crate::http) async fn get(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<RequestId>().ok();
    respond_if_found(gateway, Class::List, move |Gateway { store, .. }| {
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
