//! What Prometheus reads.

use actix_web::{HttpResponse, web::Data};

use super::{openapi::Problems, problem, routes::routes};
use crate::gateway::Gateway;

/// `OpenMetrics`, which every Prometheus since 2.5 reads.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

routes! {
    /// Registers it.
    "/metrics" configure ROUTES;
    "": get exposition;
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "about",
    responses((status = 200, description = "`OpenMetrics` 1.0; docs/monitoring.md explains each figure", body = String,
        content_type = "application/openmetrics-text"), Problems))]
pub(super) async fn exposition(gateway: Data<Gateway>) -> HttpResponse {
    match gateway.exposition() {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => problem::unavailable(),
    }
}
