//! `GET /api/health`: the figures behind `/webhooks/health`.

use actix_web::{HttpResponse, web::Data};

use super::Problems;
use crate::{gateway::Gateway, health::Health};

/// How the gateway does: its checks, each endpoint's condition, and what waits for somebody.
#[utoipa::path(get, path = "/api/health", operation_id = "health", tag = "about",
    responses((status = 200, description = "How it does; also when it does badly", body = Health), Problems))]
pub(in crate::http) async fn health(gateway: Data<Gateway>) -> HttpResponse {
    HttpResponse::Ok().json(gateway.into_inner().health().await)
}
