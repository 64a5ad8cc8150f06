//! `GET /api/health`: the details behind `/webhooks/health`.

use std::time::Duration;

use actix_web::{HttpResponse, rt::time::timeout, web::Data};

use super::store_query::respond;
use crate::{
    gateway::Gateway,
    health::Health,
    http::{api_error::ErrorResponses, query::Class},
};

/// Longest wait for the parts of the report that are read from the database.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Health of the gateway: its checks, the condition of each endpoint, and items that need attention.
#[utoipa::path(get, path = "/api/health", operation_id = "health", tag = "about",
    responses((status = 200, description = "The report, also if the gateway is unhealthy", body = Health), ErrorResponses))]
pub(in crate::http) async fn health(gateway: Data<Gateway>) -> HttpResponse {
    let checks = gateway.clone().into_inner().check().await;
    if checks.get("database") != Some(&"ok") {
        return HttpResponse::Ok().json(gateway.known_health(checks));
    }
    let report = checks.clone();
    let answer = respond(gateway.clone(), Class::List, move |gateway| Ok(gateway.health(report)));
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| HttpResponse::Ok().json(gateway.known_health(checks)))
}
