//! `POST /api/requests/{id}/replay` and `…/discard`: what was kept and not applied, once what was wrong is mended.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Problems, query};
use crate::{
    gateway::Gateway,
    http::problem::{self, Problem},
    replay::{self, NotApplied, ReplayError, Replayed},
    store::RequestId,
};

/// Whether to do it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ReplayQuery {
    /// Only tell what would change.
    #[serde(default)]
    dry_run: bool,
}

/// What can come in between.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document only")]
pub(in crate::http) enum NotDone {
    /// It is not quarantined, or its endpoint is off.
    #[response(status = 409)]
    Conflict(#[to_schema] Problem),
    /// Its body has expired.
    #[response(status = 410)]
    Gone(#[to_schema] Problem),
    /// It cannot be read, or is not genuine, now either.
    #[response(status = 422)]
    Unprocessable(#[to_schema] Problem),
}

/// Applies a request that was quarantined or rejected.
///
/// A quarantined one is read again and applied; a rejected one is verified again, with its own time as the clock, and then goes the
/// way of every callback. Otherwise it stays as it is.
#[utoipa::path(post, path = "/api/requests/{id}/replay", operation_id = "replay_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected one", example = "12"), ReplayQuery),
    responses((status = 200, description = "What it did, or would do", body = Replayed), NotDone, Problems))]
pub(in crate::http) async fn replay(request: HttpRequest, id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let query = match query::read::<ReplayQuery>(&request) {
        Ok(query) => query,
        Err(detail) => return problem::invalid_query(detail),
    };
    let Ok(id) = id.parse::<RequestId>() else { return problem::not_found() };
    match replay::replay(&gateway.store, gateway.all_endpoints(), id, query.dry_run).await {
        Ok(replayed) => HttpResponse::Ok().json(replayed),
        Err(ReplayError::NotApplied(why)) => not_applied(&why),
        Err(ReplayError::Store(error)) => {
            tracing::warn!(kind = error.kind(), "a request is not replayed");
            problem::unavailable()
        }
    }
}

fn not_applied(why: &NotApplied) -> HttpResponse {
    let (status, code) = match why {
        NotApplied::NotFound => return problem::not_found(),
        NotApplied::State(_) => (StatusCode::CONFLICT, "not_quarantined"),
        NotApplied::Off(_) => (StatusCode::CONFLICT, "endpoint_off"),
        NotApplied::Expired => (StatusCode::GONE, "body_expired"),
        NotApplied::NotGenuine(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_signature"),
        NotApplied::Unreadable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_payload"),
        NotApplied::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "poison"),
    };
    problem::answer(status, code, why.to_string())
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Discarded {
    /// Always true.
    discarded: bool,
}

/// Puts a request aside for good: a quarantined one stays as `discarded`, a rejected one is let go.
#[utoipa::path(post, path = "/api/requests/{id}/discard", operation_id = "discard_request", tag = "requests",
    params(("id" = String, Path, description = "`12`, or `r12` for a rejected one", example = "12")),
    responses((status = 200, description = "Done", body = Discarded), NotDone, Problems))]
pub(in crate::http) async fn discard(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let Ok(id) = id.parse::<RequestId>() else { return problem::not_found() };
    match replay::discard(&gateway.store, id).await {
        Ok(true) => HttpResponse::Ok().json(Discarded { discarded: true }),
        Ok(false) => problem::answer(StatusCode::CONFLICT, "not_quarantined", "there is no such request that waits"),
        Err(error) => {
            tracing::warn!(kind = error.kind(), "a request is not discarded");
            problem::unavailable()
        }
    }
}
