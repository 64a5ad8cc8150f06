//! Error responses of the ops listener: a code for programs and a sentence for people, which never quotes the request.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;

use super::query::QueryError;

/// The body of every error response.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ApiError {
    /// Always `false`.
    #[schema(example = false)]
    success: bool,
    /// The error, as a code.
    #[schema(example = "invalid_query")]
    error: &'static str,
    /// The error, as a sentence.
    #[schema(example = "limit: expected a number from 1 to 500")]
    detail: String,
}

/// The error responses of every route.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document only")]
pub(super) enum ErrorResponses {
    /// A parameter or the body is invalid.
    #[response(status = 400)]
    Invalid(ApiError),
    /// The token is missing or wrong.
    #[response(status = 401)]
    Unauthorized(ApiError),
    /// The token allows only reading, or a page of another site sent the request.
    #[response(status = 403)]
    Forbidden(ApiError),
    /// No such id in the tables.
    #[response(status = 404)]
    NotFound(ApiError),
    /// The path does not allow this method; `Allow` lists those it does.
    #[response(status = 405)]
    MethodNotAllowed(ApiError),
    /// The body exceeds 256 KiB.
    #[response(status = 413)]
    TooLarge(ApiError),
    /// `OPS_LISTEN` is a loopback address, and the request was sent to the name of a domain, without a bearer token.
    #[response(status = 421)]
    Misdirected(ApiError),
    /// The network of the client has sent too many wrong tokens. Retry after `Retry-After` seconds.
    #[response(status = 429)]
    TooManyGuesses(ApiError),
    /// The database is unavailable, or there are too many requests at once. Retry after `Retry-After` seconds.
    #[response(status = 503)]
    Unavailable(ApiError),
}

pub(super) fn response(status: StatusCode, error: &'static str, detail: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).json(ApiError { success: false, error, detail: detail.into() })
}

pub(super) fn invalid_query(detail: impl Into<String>) -> HttpResponse {
    response(StatusCode::BAD_REQUEST, "invalid_query", detail)
}

pub(super) fn not_found() -> HttpResponse {
    response(StatusCode::NOT_FOUND, "not_found", "no such path or record; GET /openapi.json lists the paths")
}

pub(super) fn unavailable() -> HttpResponse {
    retry_later("unavailable", "the database is unavailable; retry", "1")
}

/// The process publishes callbacks and does nothing else.
pub(super) fn without_database() -> HttpResponse {
    let detail = "this process has the role `gateway`, without a database: ask a process with the role `writer`";
    response(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

pub(super) fn too_many_streams() -> HttpResponse {
    retry_later("too_many_streams", "too many open event streams", "10")
}

/// The response to a request whose query was not answered.
pub(super) fn query_failed(error: QueryError) -> HttpResponse {
    match error {
        QueryError::TooMany => retry_later("too_many_queries", "too many queries are running; retry", "2"),
        QueryError::TimedOut => retry_later("query_timeout", "the query took too long; choose a shorter period", "10"),
        QueryError::Unavailable => unavailable(),
    }
}

fn retry_later(error: &'static str, detail: &'static str, seconds: &'static str) -> HttpResponse {
    let mut response = response(StatusCode::SERVICE_UNAVAILABLE, error, detail);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(seconds));
    response
}

/// The same response for every path, so that a client without a token cannot probe paths.
pub(super) fn unauthorized(accepts_password: bool) -> HttpResponse {
    let mut response =
        response(StatusCode::UNAUTHORIZED, "unauthorized", "expected the ops token: Authorization: Bearer <token>");
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    if accepts_password {
        let basic = header::HeaderValue::from_static(r#"Basic realm="waybill", charset="UTF-8""#);
        headers.append(header::WWW_AUTHENTICATE, basic);
    }
    response
}

pub(super) fn too_many_guesses(retry_after: u64) -> HttpResponse {
    let mut response =
        response(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "too many wrong tokens from this network; retry later");
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

pub(super) fn forbidden() -> HttpResponse {
    response(
        StatusCode::FORBIDDEN,
        "forbidden",
        "a read token or a password cannot change anything; use the ops token as a bearer token",
    )
}

/// A page of another site cannot use the credentials that a browser adds to its requests.
pub(super) fn cross_site() -> HttpResponse {
    response(
        StatusCode::FORBIDDEN,
        "cross_site",
        "a page of another site sent this request; open this site in a window of its own",
    )
}

/// The request names a host that is not this machine, which a page can do by rebinding its own name.
pub(super) fn misdirected() -> HttpResponse {
    let detail = "this listener is on a loopback address: use localhost or the address, HTTPS, or a bearer token";
    response(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail)
}

pub(super) fn too_large() -> HttpResponse {
    response(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "the body exceeds 256 KiB")
}

/// `allowed` lists the methods of the path, separated by commas.
pub(super) fn method_not_allowed(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let detail = format!("{} is not allowed; expected {allowed}", request.method());
    let mut response = response(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
