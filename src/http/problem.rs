//! What went wrong at the ops listener, in one shape: a code for programs, and a sentence for people that quotes nothing.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;

/// The body of every answer that is no success.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Problem {
    /// Always `false`.
    #[schema(example = false)]
    success: bool,
    /// What went wrong, in one word.
    #[schema(example = "invalid_query")]
    error: &'static str,
    /// The same in a sentence.
    #[schema(example = "limit: expected a number from 1 to 500")]
    detail: String,
}

/// An answer that is no success.
pub(super) fn answer(status: StatusCode, error: &'static str, detail: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).json(Problem { success: false, error, detail: detail.into() })
}

pub(super) fn invalid_query(detail: impl Into<String>) -> HttpResponse {
    answer(StatusCode::BAD_REQUEST, "invalid_query", detail)
}

pub(super) fn not_found() -> HttpResponse {
    answer(StatusCode::NOT_FOUND, "not_found", "there is nothing here; GET /openapi.json lists what there is")
}

pub(super) fn unavailable() -> HttpResponse {
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the database does not answer; try again");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

pub(super) fn too_many_streams() -> HttpResponse {
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "as many streams as may be are open");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
    response
}

/// Neither is who asks, nor what is there, told to a stranger.
pub(super) fn unauthorized(takes_password: bool) -> HttpResponse {
    let mut response = answer(StatusCode::UNAUTHORIZED, "unauthorized", "expected the ops token: Authorization: Bearer <token>");
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    if takes_password {
        let basic = header::HeaderValue::from_static(r#"Basic realm="waybill", charset="UTF-8""#);
        headers.append(header::WWW_AUTHENTICATE, basic);
    }
    response
}

pub(super) fn forbidden() -> HttpResponse {
    answer(StatusCode::FORBIDDEN, "forbidden", "this token may only read, and a password changes nothing here")
}

pub(super) fn too_large() -> HttpResponse {
    answer(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "expected 256 KiB at the most")
}

/// The path is there, and takes these methods.
pub(super) fn method_not_allowed(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let detail = format!("{} is not taken here; {allowed} is", request.method());
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
