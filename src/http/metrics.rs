//! `GET /metrics` for Prometheus.

use actix_web::{HttpResponse, web::Data};

use super::answer;
use crate::gateway::Gateway;

pub(super) async fn exposition(gateway: Data<Gateway>) -> HttpResponse {
    match gateway.exposition() {
        Ok(text) => HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text),
        Err(_) => answer::unavailable(),
    }
}
