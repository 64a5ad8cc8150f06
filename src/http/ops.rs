//! The ops listener: its routes and their access control.

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};

use super::{
    api, api_error, base_path, connection,
    credentials::credentials,
    guess::{self, Denied},
    health, isolation, metrics, openapi, pages, queued,
};
use crate::{
    gateway::{Gateway, Rights},
    queue::Role,
};

/// Registers all routes of the ops listener. Only the probes need no token.
pub(super) fn routes(config: &mut ServiceConfig) {
    let bearer = |path| web::scope(path).wrap(from_fn(require_bearer)).default_service(web::to(unknown_path));
    let bearer_or_password =
        |path| web::scope(path).wrap(from_fn(require_bearer_or_password)).default_service(web::to(unknown_path));
    let all = web::scope("")
        .wrap(from_fn(isolation::require_own_site))
        .wrap(isolation::headers())
        .wrap(from_fn(base_path::apply))
        .configure(health::configure)
        // Before `/api`, which accepts no password.
        .service(bearer_or_password("/api/events/stream").configure(api::configure_stream))
        .service(bearer("/api").configure(api::configure))
        .service(bearer("/metrics").configure(metrics::configure))
        .service(bearer_or_password("/openapi.json").configure(openapi::configure))
        .configure(pages::routes)
        .default_service(web::to(unknown_path));
    // `*` is in no scope.
    config.service(all).default_service(web::to(unknown_path));
}

/// 404 for clients with a token; 401 for all others, so that paths cannot be probed.
async fn unknown_path(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    denial(&gateway, &request, true).unwrap_or_else(api_error::not_found)
}

/// Requires `Authorization: Bearer` with a token.
async fn require_bearer(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    authorize(gateway, request, next, false).await
}

/// Also accepts the token as the password of HTTP Basic, which browsers ask for, on requests that only read.
async fn require_bearer_or_password(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    authorize(gateway, request, next, true).await
}

async fn authorize(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    accepts_password: bool,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match denial(&gateway, request.request(), accepts_password) {
        None if lacks_database(&gateway, request.path()) => {
            Ok(request.into_response(api_error::without_database()).map_into_right_body())
        }
        None => {
            connection::note_login(&request);
            let mut response = next.call(request).await?.map_into_left_body();
            queued::announce(&gateway, response.headers_mut());
            Ok(response)
        }
        Some(denied) => Ok(request.into_response(denied).map_into_right_body()),
    }
}

/// The paths that need no database.
const WITHOUT_DATABASE: [&str; 8] =
    ["/api/health", "/api/reload", "/metrics", "/openapi.json", "/docs", "/docs/", "/page.css", "/icon.svg"];

/// True if a path needs the database, which a process of this role has not.
pub(super) fn lacks_database(gateway: &Gateway, path: &str) -> bool {
    gateway.role == Role::Gateway && !WITHOUT_DATABASE.contains(&path)
}

/// The response to a request whose credentials do not allow its method; `None` if they do.
fn denial(gateway: &Gateway, request: &HttpRequest, accepts_password: bool) -> Option<HttpResponse> {
    let given = credentials(request.headers()).filter(|given| accepts_password || !given.is_password);
    let Some(given) = given else { return Some(api_error::unauthorized(accepts_password)) };
    match guess::rights(request, gateway, &given) {
        Ok(rights) if request.method().is_safe() || (rights == Rights::All && !given.is_password) => None,
        Ok(_) => Some(api_error::forbidden()),
        Err(Denied::Limited(limited)) => Some(api_error::too_many_guesses(limited.retry_after)),
        Err(Denied::Wrong) => Some(api_error::unauthorized(accepts_password)),
    }
}
