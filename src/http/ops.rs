//! The ops listener: its routes, and who may use them.

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap},
    },
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{api, health, metrics, openapi, pages, problem};
use crate::gateway::Gateway;

/// Everything that the ops listener answers. Only the probes take no token.
pub(super) fn routes(config: &mut ServiceConfig) {
    let token = |path| web::scope(path).wrap(from_fn(token)).default_service(web::to(unknown));
    let token_or_password = |path| web::scope(path).wrap(from_fn(token_or_password)).default_service(web::to(unknown));
    config
        .configure(health::configure)
        // Before what takes no password.
        .service(token_or_password("/api/events/stream").configure(api::configure_stream))
        .service(token("/api").configure(api::configure))
        .service(token("/metrics").configure(metrics::configure))
        .service(token_or_password("/openapi.json").configure(openapi::configure))
        .service(token_or_password("/docs").configure(openapi::configure_page))
        .configure(pages::routes)
        .default_service(web::to(unknown));
}

/// A path that is not there, for who may know.
async fn unknown(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    refusal(&gateway, request.headers(), request.method(), true).unwrap_or_else(problem::not_found)
}

/// Lets a request through that carries a token: `Authorization: Bearer`. The second token may only read.
pub(super) async fn token(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match refusal(&gateway, request.headers(), request.method(), false) {
        None => Ok(next.call(request).await?.map_into_left_body()),
        Some(refused) => Ok(request.into_response(refused).map_into_right_body()),
    }
}

/// The same, and the token as the password of HTTP Basic, which browsers ask for, where something is only read.
pub(super) async fn token_or_password(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match refusal(&gateway, request.headers(), request.method(), true) {
        None => Ok(next.call(request).await?.map_into_left_body()),
        Some(refused) => Ok(request.into_response(refused).map_into_right_body()),
    }
}

/// Why a request may not pass, as an answer.
fn refusal(gateway: &Gateway, headers: &HeaderMap, method: &Method, takes_password: bool) -> Option<HttpResponse> {
    let given = credentials(headers).filter(|given| takes_password || !given.is_password);
    let Some(Credentials { token, is_password }) = given else { return Some(problem::unauthorized(takes_password)) };
    let (may_read, may_write) = (gateway.may_read(&token), gateway.may_write(&token));
    match (may_read, method.is_safe() || (may_write && !is_password)) {
        (true, true) => None,
        (true, false) => Some(problem::forbidden()),
        (false, _) => Some(problem::unauthorized(takes_password)),
    }
}

/// What somebody shows. A password is sent by browsers on their own, from whatever page: it alone may change nothing.
pub(super) struct Credentials {
    pub(super) token: Vec<u8>,
    pub(super) is_password: bool,
}

/// The token of a request, if it carries just one.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let place = value.as_bytes().iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.as_bytes().split_at_checked(place)?;
    let rest = rest.get(1..)?;
    if scheme.eq_ignore_ascii_case(b"Bearer") {
        return Some(Credentials { token: rest.to_vec(), is_password: false });
    }
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Credentials { token: pair.get(colon + 1..)?.to_vec(), is_password: true })
}
