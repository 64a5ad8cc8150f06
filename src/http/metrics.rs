//! `GET /metrics`: the Prometheus endpoint.

use actix_web::{HttpResponse, web::Data};

use super::{
    api_error::{self, ErrorResponses},
    routes::routes,
};
use crate::gateway::Gateway;

/// `OpenMetrics`, supported by Prometheus since 2.5.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

routes! {
    "/metrics" configure ROUTES;
    "": get exposition;
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "about",
    responses((status = 200, description = "`OpenMetrics` 1.0; docs/monitoring.md explains each metric", body = String,
        content_type = "application/openmetrics-text"), ErrorResponses))]
pub(super) async fn exposition(gateway: Data<Gateway>) -> HttpResponse {
    match gateway.exposition() {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => api_error::unavailable(),
    }
}
