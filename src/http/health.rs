//! `/webhooks/health` for monitoring, `/livez` and `/readyz` for process managers.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde_json::json;

use super::{
    api_error::{self, ApiError},
    response,
    routes::routes,
};
use crate::{gateway::Gateway, health::summary};

routes! {
    "" configure ROUTES;
    "/livez": get live;
    "/readyz": get ready;
}

/// `/webhooks/health` of the public listener. Contains no figures, accounts or times of events.
pub(super) async fn webhooks_health(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    let status = summary(&checks);
    let code = if status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let router = gateway.router();
    let endpoints: BTreeMap<&str, &String> = router
        .iter()
        .map(|endpoint| (endpoint.spec.name, endpoint.account.is_unnamed(), &endpoint.base_path))
        // The last one is collected: the default account's, if there is one.
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|(name, _, path)| (name, path))
        .collect();
    HttpResponse::build(code).json(json!({
        "status": status,
        "service": "webhook_handlers",
        "endpoints": endpoints,
        "timestamp": gateway.clock.now(),
        "checks": checks,
    }))
}

pub(super) async fn method_not_allowed() -> HttpResponse {
    response::request_error(response::RequestError::Method(&["GET"]))
}

/// Liveness: the process runs. Does not use the database.
#[utoipa::path(get, path = "/livez", tag = "about", responses((status = 200, description = "The process runs", body = serde_json::Value)), security(()))]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// Readiness: a callback that arrives now would be stored.
#[utoipa::path(get, path = "/readyz", tag = "about",
    responses(
        (status = 200, description = "The gateway is ready", body = serde_json::Value),
        (status = 503, description = "The gateway is not ready, or is shutting down", body = ApiError)
    ),
    security(()))]
pub(super) async fn ready(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    if !gateway.is_stopping() && checks.values().all(|check| *check != "fail") {
        HttpResponse::Ok().json(json!({ "status": "ready" }))
    } else {
        api_error::unavailable()
    }
}
