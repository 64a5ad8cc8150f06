//! The one table from outcome to status and body.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde_json::json;
use tracing::{error, warn};

use crate::{
    provider::Reply,
    receive::{Received, Refusal},
    store::Answer,
};

/// Why a request was answered before it became a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unacceptable {
    NotFound,
    /// Not one of these.
    Method(&'static [&'static str]),
    Slow,
    TooLarge,
    Encoded,
    Malformed,
    Overloaded,
    Panicked,
}

const EMPTY_TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// The answer to what the store committed. There is no other way to a success.
pub(super) fn received(Received { committed, reply }: &Received) -> HttpResponse {
    match committed.answer() {
        // TwiML cannot say that it was a duplicate.
        Answer::Success if *reply == Reply::Twiml => HttpResponse::Ok().content_type("text/xml").body(EMPTY_TWIML),
        Answer::Success if committed.is_duplicate() => HttpResponse::Ok().json(json!({ "success": true, "duplicate": true })),
        Answer::Success => HttpResponse::Ok().json(json!({ "success": true })),
        Answer::NotFound => failure(StatusCode::NOT_FOUND, "not_found"),
        Answer::InvalidPayload => failure(StatusCode::BAD_REQUEST, "invalid_payload"),
    }
}

/// The answer to a callback that was refused. Which check failed is told to the log only.
pub(super) fn refused(refusal: &Refusal, provider: &'static str, account: &str) -> HttpResponse {
    match refusal {
        Refusal::Rejected(cause) => {
            warn!(provider, account, cause = <&str>::from(cause), "not genuine: {cause}");
            failure(StatusCode::UNAUTHORIZED, "invalid_signature")
        }
        Refusal::NotStored(_) | Refusal::Late => {
            error!(provider, account, "not stored: {refusal}");
            unavailable()
        }
    }
}

/// The answer to a request that never became a callback.
pub(super) fn unacceptable(why: Unacceptable) -> HttpResponse {
    match why {
        Unacceptable::NotFound => failure(StatusCode::NOT_FOUND, "not_found"),
        Unacceptable::Method(allowed) => {
            let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            if let Ok(allowed) = header::HeaderValue::from_str(&allowed.join(", ")) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            response
        }
        Unacceptable::Slow => closing(failure(StatusCode::REQUEST_TIMEOUT, "request_timeout")),
        Unacceptable::TooLarge => closing(failure(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large")),
        Unacceptable::Encoded => closing(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")),
        Unacceptable::Malformed => closing(failure(StatusCode::BAD_REQUEST, "bad_request")),
        Unacceptable::Overloaded => unavailable(),
        Unacceptable::Panicked => failure(StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    }
}

pub(super) fn unauthorized() -> HttpResponse {
    let mut response = failure(StatusCode::UNAUTHORIZED, "unauthorized");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

pub(super) fn failure(status: StatusCode, code: &'static str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "success": false, "error": code }))
}

pub(super) fn unavailable() -> HttpResponse {
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

/// The body was not read to its end, so nothing more can be read from this connection.
pub(super) fn closing(mut response: HttpResponse) -> HttpResponse {
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}
