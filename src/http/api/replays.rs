//! `POST /api/requests/{id}/replay` and `…/discard`: quarantined and rejected requests, once the cause is fixed.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters;
use crate::{
    gateway::Gateway,
    http::api_error::{self, ApiError, ErrorResponses},
    replay::{self, ReplayError, Replayed},
    store::{Actor, RequestId},
};

/// Options of a replay.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ReplayQuery {
    /// Only report what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Responses if nothing was done.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document only")]
pub(in crate::http) enum NotDoneResponses {
    /// The request is not quarantined, or its endpoint is disabled.
    #[response(status = 409)]
    Conflict(ApiError),
    /// The body of the request has expired.
    #[response(status = 410)]
    Gone(ApiError),
    /// The request still cannot be parsed, or still fails verification.
    #[response(status = 422)]
    Unprocessable(ApiError),
}

/// Replays a quarantined or rejected request.
///
/// A quarantined request is parsed again and applied. A rejected request is verified again, with its time of arrival as the clock, and then
/// processed like any callback. If that fails, it remains as it is.
#[utoipa::path(post, path = "/api/requests/{id}/replay", operation_id = "replay_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected request", example = "12"), ReplayQuery),
    responses((status = 200, description = "The changes that were made, or that would be made", body = Replayed), NotDoneResponses, ErrorResponses))]
pub(in crate::http) async fn replay(request: HttpRequest, id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let ReplayQuery { dry_run } = match parameters::parse(&request) {
        Ok(parameters) => parameters,
        Err(detail) => return api_error::invalid_query(detail),
    };
    let Ok(id) = id.parse::<RequestId>() else { return api_error::not_found() };
    match replay::replay(&gateway.store, &gateway.router(), id, dry_run, gateway.author(Actor::Ops)).await {
        Ok(replayed) => HttpResponse::Ok().json(replayed),
        Err(error) => not_done("replay", &error),
    }
}

fn not_done(action: &'static str, error: &ReplayError) -> HttpResponse {
    let (status, code) = match error {
        ReplayError::Store(error) => {
            tracing::warn!(kind = error.kind(), "{action} failed");
            return api_error::unavailable();
        }
        ReplayError::NotFound => return api_error::not_found(),
        ReplayError::NotQuarantined(_) => (StatusCode::CONFLICT, "not_quarantined"),
        ReplayError::EndpointOff(_) => (StatusCode::CONFLICT, "endpoint_off"),
        ReplayError::BodyExpired => (StatusCode::GONE, "body_expired"),
        ReplayError::NotVerified(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_signature"),
        ReplayError::NotParsed(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_payload"),
        ReplayError::Poison => (StatusCode::UNPROCESSABLE_ENTITY, "poison"),
    };
    api_error::response(status, code, error.to_string())
}

/// Confirmation.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Discarded {
    /// Always true.
    discarded: bool,
}

/// Discards a request: a quarantined request becomes `discarded`, a rejected request is deleted, and a retry of it is accepted.
#[utoipa::path(post, path = "/api/requests/{id}/discard", operation_id = "discard_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected request", example = "12")),
    responses((status = 200, description = "The request is discarded", body = Discarded), NotDoneResponses, ErrorResponses))]
pub(in crate::http) async fn discard(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let Ok(id) = id.parse::<RequestId>() else { return api_error::not_found() };
    match replay::discard(&gateway.store, id, gateway.author(Actor::Ops)).await {
        Ok(()) => HttpResponse::Ok().json(Discarded { discarded: true }),
        Err(error) => not_done("discard", &error),
    }
}
