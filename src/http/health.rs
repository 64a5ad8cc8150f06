//! `/webhooks/health` for monitoring, `/livez` and `/readyz` for whoever runs the process.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde_json::json;

use super::{
    answer,
    problem::{self, Problem},
    routes::routes,
};
use crate::{gateway::Gateway, health::summary};

routes! {
    /// Registers the probes.
    "" configure ROUTES;
    "/livez": get live;
    "/readyz": get ready;
}

/// The document of the public listener. No figures, accounts or times of events.
pub(super) async fn document(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    let status = summary(&checks);
    let code = if status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let endpoints: BTreeMap<&str, &String> = gateway
        .endpoints()
        .map(|endpoint| (endpoint.spec.name, endpoint.account.is_unnamed(), &endpoint.base_path))
        // The last one counts: the unnamed account's, if there is one.
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

pub(super) async fn not_allowed() -> HttpResponse {
    answer::unacceptable(answer::Unacceptable::Method(&["GET", "HEAD"]))
}

/// The process runs. Touches nothing.
#[utoipa::path(get, path = "/livez", tag = "about", responses((status = 200, description = "It runs", body = serde_json::Value)), security(()))]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// A callback that came now would be stored.
#[utoipa::path(get, path = "/readyz", tag = "about",
    responses(
        (status = 200, description = "It would", body = serde_json::Value),
        (status = 503, description = "It would not, or the gateway is about to stop", body = Problem)
    ),
    security(()))]
pub(super) async fn ready(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    if !gateway.is_stopping() && checks.values().all(|check| *check != "fail") {
        HttpResponse::Ok().json(json!({ "status": "ready" }))
    } else {
        problem::unavailable()
    }
}
