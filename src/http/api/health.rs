//! `GET /api/health`: the details behind `/webhooks/health`.

use actix_web::{HttpResponse, web::Data};

use super::store_query::respond;
use crate::{
    gateway::Gateway,
    health::Health,
    http::{api_error::ErrorResponses, query::Class},
};

/// Health of the gateway: its checks, the condition of each endpoint, and items that need attention.
#[utoipa::path(get, path = "/api/health", operation_id = "health", tag = "about",
    responses((status = 200, description = "The report, also if the gateway is unhealthy", body = Health), ErrorResponses))]
pub(in crate::http) async fn health(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    respond(gateway, Class::List, move |gateway| Ok(gateway.health(checks))).await
}
