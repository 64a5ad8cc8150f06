//! `POST /api/reload`: the configuration is read again.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters;
use crate::{
    config::Finding,
    gateway::Gateway,
    http::api_error::{self, ErrorResponses},
    reload::{self, Reloaded},
    store::Actor,
};

/// Options of a reload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ReloadQuery {
    /// Only report what would change.
    #[serde(default)]
    dry_run: bool,
}

/// A configuration with problems.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct InvalidConfiguration {
    /// Always `false`.
    #[schema(example = false)]
    success: bool,
    /// Always `invalid_configuration`.
    #[schema(example = "invalid_configuration")]
    error: &'static str,
    /// The error, as a sentence.
    detail: &'static str,
    /// Every problem: the variable and what is expected of it.
    problems: Vec<Finding>,
}

/// Reads the configuration again.
///
/// The gateway reads `.env` and the files of `*_FILE` variables again, and takes over secrets, endpoints, lists of addresses, tokens, public
/// URLs and rate limits, without closing a connection. A configuration with a problem is refused as a whole. Requires `OPS_TOKEN`.
#[utoipa::path(post, path = "/api/reload", operation_id = "reload", tag = "about", params(ReloadQuery),
    responses((status = 200, description = "The changes that were made, or that would be made", body = Reloaded),
        (status = 422, description = "The configuration has problems. Nothing has changed", body = InvalidConfiguration), ErrorResponses))]
pub(in crate::http) async fn reload(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let ReloadQuery { dry_run } = match parameters::parse(&request) {
        Ok(parameters) => parameters,
        Err(detail) => return api_error::invalid_query(detail),
    };
    match reload::reload(&gateway.into_inner(), dry_run, Actor::Ops).await {
        Ok(reloaded) => HttpResponse::Ok().json(reloaded),
        Err(problems) => HttpResponse::UnprocessableEntity().json(InvalidConfiguration {
            success: false,
            error: "invalid_configuration",
            detail: "the configuration has problems, so the running one stays",
            problems: problems.0,
        }),
    }
}
