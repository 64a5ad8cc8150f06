//! The one table from outcome to status and body.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde_json::json;
use tracing::{error, warn};

use crate::{
    endpoint::Endpoint,
    limiter::Budget,
    metrics::{FailedCause, Outcome, RejectedCause},
    provider::Reply,
    receive::{Received, Refusal},
    signature::Rejected,
    store::Answer,
};

/// Why a request was answered before it became a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unacceptable {
    NotFound,
    /// The client's address is not in the endpoint's list.
    Forbidden,
    /// Not one of these.
    Method(&'static [&'static str]),
    Slow,
    TooLarge,
    Encoded,
    Malformed,
    Overloaded,
    Panicked,
}

impl From<Unacceptable> for Outcome {
    fn from(why: Unacceptable) -> Self {
        Self::Failed(match why {
            Unacceptable::Forbidden => return Self::Rejected(RejectedCause::Forbidden),
            // Of no endpoint, so it is not counted.
            Unacceptable::NotFound | Unacceptable::Method(_) => return Self::Ignored,
            Unacceptable::Slow => FailedCause::Slow,
            Unacceptable::TooLarge => FailedCause::TooLarge,
            Unacceptable::Encoded => FailedCause::Encoded,
            Unacceptable::Malformed => FailedCause::Malformed,
            Unacceptable::Overloaded => FailedCause::Overloaded,
            Unacceptable::Panicked => FailedCause::Panic,
        })
    }
}

const EMPTY_TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// The answer to what the store committed. There is no other way to a success.
pub(super) fn received(Received { committed, reply, budget }: &Received) -> HttpResponse {
    let response = match (committed.answer(), reply) {
        // Neither TwiML nor a document can say that it was a duplicate.
        (Answer::Success, Reply::Twiml) => HttpResponse::Ok().content_type("text/xml").body(EMPTY_TWIML),
        (Answer::Success, Reply::Document(document)) => {
            HttpResponse::Ok().content_type("application/json").body(document.clone())
        }
        (Answer::Success, Reply::Json) if committed.is_duplicate() => {
            HttpResponse::Ok().json(json!({ "success": true, "duplicate": true }))
        }
        (Answer::Success, Reply::Json) => HttpResponse::Ok().json(json!({ "success": true })),
        (Answer::NotFound, _) => failure(StatusCode::NOT_FOUND, "not_found"),
        (Answer::InvalidPayload, _) => failure(StatusCode::BAD_REQUEST, "invalid_payload"),
    };
    with_budget(response, *budget)
}

/// The answer to a callback that was refused. Which check failed is told to the log only.
pub(super) fn refused(refusal: &Refusal, endpoint: &Endpoint) -> HttpResponse {
    let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
    match refusal {
        // Nothing came, so nothing can be lost; and nothing is claimed to be stored.
        Refusal::Rejected(Rejected::Probe) => HttpResponse::Ok().json(json!({ "probe": true })),
        Refusal::Rejected(cause) => {
            warn!(provider, account, cause = <&str>::from(cause), "not genuine: {cause}");
            if *cause == Rejected::Unsigned { unavailable() } else { unauthenticated(endpoint.provider.challenge()) }
        }
        Refusal::Limited(limited) => {
            warn!(provider, account, "{limited}");
            with_budget(too_many(limited.retry_after), limited.budget)
        }
        Refusal::NotStored(_) | Refusal::Late => {
            error!(provider, account, "not stored: {refusal}");
            unavailable()
        }
    }
}

/// The answer to one too many.
pub(super) fn too_many(retry_after: u64) -> HttpResponse {
    let mut response = failure(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

/// The answer to a request that never became a callback.
pub(super) fn unacceptable(why: Unacceptable) -> HttpResponse {
    match why {
        Unacceptable::NotFound => failure(StatusCode::NOT_FOUND, "not_found"),
        Unacceptable::Forbidden => closing(failure(StatusCode::FORBIDDEN, "forbidden")),
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

/// The one answer to every failed authentication.
fn unauthenticated(challenge: Option<&'static str>) -> HttpResponse {
    let mut response = failure(StatusCode::UNAUTHORIZED, "invalid_signature");
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
    }
    response
}

/// The `RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers-06, which senders know).
fn with_budget(mut response: HttpResponse, budget: Option<Budget>) -> HttpResponse {
    if let Some(Budget { limit, remaining, reset }) = budget {
        let headers = response.headers_mut();
        headers.insert(header::HeaderName::from_static("ratelimit-limit"), limit.into());
        headers.insert(header::HeaderName::from_static("ratelimit-remaining"), remaining.into());
        headers.insert(header::HeaderName::from_static("ratelimit-reset"), reset.into());
    }
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
