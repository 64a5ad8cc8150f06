//! The single table from outcomes to status and body, for the public listener.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

use super::routes;
use crate::{
    endpoint::Endpoint,
    limiter::Budget,
    metrics::{FailedCause, Outcome, RejectedCause},
    provider::Reply,
    queue::{NotDurable, QueueError},
    receive::{ReceiveError, Received},
    signature::VerifyError,
    store::{StoreError, StoredResponse},
    verifier::Unverified,
};

/// Reason for which a request was answered before verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub(super) enum RequestError {
    NotFound,
    /// The client's address is not in the endpoint's allow-list.
    Forbidden,
    /// A probe of an endpoint that accepts GET: no provider sends a callback by HEAD, and none is made of it.
    Head,
    /// The method is not one of these.
    Method(&'static [&'static str]),
    Timeout,
    TooLarge,
    UnsupportedEncoding,
    Malformed,
    Overloaded,
    Panicked,
}

impl From<RequestError> for Outcome {
    fn from(error: RequestError) -> Self {
        Self::Failed(match error {
            RequestError::Forbidden => return Self::Rejected(RejectedCause::Forbidden),
            // Belongs to no endpoint and is not counted.
            RequestError::NotFound | RequestError::Head | RequestError::Method(_) => return Self::Ignored,
            RequestError::Timeout => FailedCause::Slow,
            RequestError::TooLarge => FailedCause::TooLarge,
            RequestError::UnsupportedEncoding => FailedCause::Encoded,
            RequestError::Malformed => FailedCause::Malformed,
            RequestError::Overloaded => FailedCause::Overloaded,
            RequestError::Panicked => FailedCause::Panic,
        })
    }
}

impl From<VerifyError> for Outcome {
    fn from(cause: VerifyError) -> Self {
        if cause.is_failure() { Self::Rejected(RejectedCause::NotVerified(cause.into())) } else { Self::Ignored }
    }
}

impl From<&Result<Received, ReceiveError>> for Outcome {
    fn from(result: &Result<Received, ReceiveError>) -> Self {
        match result {
            Ok(Received { reply: Reply::Document(_), .. }) => Self::Ignored,
            Ok(Received { durable, .. }) if durable.is_duplicate() => Self::Duplicate,
            Ok(Received { durable, .. }) if durable.is_quarantined() => Self::Quarantined,
            Ok(_) => Self::Accepted,
            Err(ReceiveError::Unverified(Unverified::Rejected(cause))) => (*cause).into(),
            Err(ReceiveError::Unverified(Unverified::Limited(_))) => Self::Rejected(RejectedCause::Limited),
            Err(ReceiveError::Unverified(Unverified::Unfinished)) => Self::Failed(FailedCause::Overloaded),
            Err(ReceiveError::Limited(_)) => Self::Failed(FailedCause::RateLimited),
            Err(ReceiveError::NotDurable(NotDurable::Store(StoreError::Busy) | NotDurable::Queue(QueueError::Busy))) => {
                Self::Failed(FailedCause::Busy)
            }
            Err(ReceiveError::NotDurable(NotDurable::Store(_))) => Self::Failed(FailedCause::Database),
            Err(ReceiveError::NotDurable(NotDurable::Queue(_))) => Self::Failed(FailedCause::Queue),
            Err(ReceiveError::Late) => Self::Failed(FailedCause::Timeout),
        }
    }
}

const EMPTY_TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;
const SUCCESS: &str = r#"{"success":true}"#;
const DUPLICATE: &str = r#"{"duplicate":true,"success":true}"#;
const PROBE: &str = r#"{"probe":true}"#;

/// The response to a durable callback. Nothing else produces a success response.
pub(super) fn durable(Received { durable, reply, budget }: &Received) -> HttpResponse {
    let response = match (durable.response(), reply) {
        // TwiML and SWML documents cannot indicate a duplicate.
        (StoredResponse::Success, Reply::Twiml) => typed(StatusCode::OK, "text/xml").body(EMPTY_TWIML),
        (StoredResponse::Success, Reply::Document(document)) => json(StatusCode::OK).body(document.clone()),
        (StoredResponse::Success, Reply::Json) if durable.is_duplicate() => json(StatusCode::OK).body(DUPLICATE),
        (StoredResponse::Success, Reply::Json) => json(StatusCode::OK).body(SUCCESS),
        (StoredResponse::NotFound, _) => failure(StatusCode::NOT_FOUND, "not_found"),
        (StoredResponse::InvalidPayload, _) => failure(StatusCode::BAD_REQUEST, "invalid_payload"),
    };
    with_budget(response, *budget)
}

/// The response to a callback that is not durable. Only the log shows which check failed.
pub(super) fn receive_error(error: &ReceiveError, endpoint: &Endpoint) -> HttpResponse {
    let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
    match error {
        // An empty probe: there is nothing to store, and the response claims no success.
        ReceiveError::Unverified(Unverified::Rejected(VerifyError::Probe)) => json(StatusCode::OK).body(PROBE),
        ReceiveError::Unverified(Unverified::Limited(limited)) => too_many_requests(limited.retry_after),
        ReceiveError::Unverified(unfinished @ Unverified::Unfinished) => {
            if let Some(count) = endpoint.metrics.count_log_line("unfinished") {
                tracing::warn!(provider, account, count, "{unfinished}; logged at most once a minute");
            }
            unavailable()
        }
        ReceiveError::Unverified(Unverified::Rejected(cause)) => {
            let kind = <&str>::from(cause);
            if cause.is_failure()
                && let Some(count) = endpoint.metrics.count_log_line(kind)
            {
                tracing::warn!(
                    provider,
                    account,
                    cause = kind,
                    count,
                    "verification failed: {cause}; each cause is logged at most once a minute"
                );
            }
            if *cause == VerifyError::Unsigned { unavailable() } else { invalid_signature(endpoint.provider.challenge()) }
        }
        ReceiveError::Limited(limited) => {
            if let Some(count) = endpoint.metrics.count_log_line("limited") {
                tracing::warn!(provider, account, count, "{limited}; logged at most once a minute");
            }
            with_budget(too_many_requests(limited.retry_after), limited.budget)
        }
        ReceiveError::NotDurable(_) | ReceiveError::Late => {
            tracing::error!(provider, account, "not stored: {error}");
            unavailable()
        }
    }
}

pub(super) fn too_many_requests(retry_after: u64) -> HttpResponse {
    let mut response = failure(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

pub(super) fn request_error(error: RequestError) -> HttpResponse {
    match error {
        RequestError::NotFound => failure(StatusCode::NOT_FOUND, "not_found"),
        RequestError::Forbidden => close_after(failure(StatusCode::FORBIDDEN, "forbidden")),
        RequestError::Head => json(StatusCode::OK).body(PROBE),
        RequestError::Method(allowed) => {
            let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            if let Ok(allowed) = header::HeaderValue::from_str(&routes::allowed(allowed)) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            response
        }
        RequestError::Timeout => close_after(failure(StatusCode::REQUEST_TIMEOUT, "request_timeout")),
        RequestError::TooLarge => close_after(failure(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large")),
        RequestError::UnsupportedEncoding => close_after(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")),
        RequestError::Malformed => close_after(failure(StatusCode::BAD_REQUEST, "bad_request")),
        RequestError::Overloaded => close_after(unavailable()),
        RequestError::Panicked => failure(StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    }
}

/// The same response for every failed verification.
fn invalid_signature(challenge: Option<&'static str>) -> HttpResponse {
    let mut response = failure(StatusCode::UNAUTHORIZED, "invalid_signature");
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
    }
    response
}

/// The `RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers-06, the version that senders support).
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
    json(status).body(format!(r#"{{"error":"{code}","success":false}}"#))
}

fn json(status: StatusCode) -> HttpResponseBuilder {
    typed(status, "application/json")
}

fn typed(status: StatusCode, media_type: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, header::HeaderValue::from_static(media_type)));
    response
}

pub(super) fn unavailable() -> HttpResponse {
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

/// Closes the connection after the response: the request's body was not read to its end.
pub(super) fn close_after(mut response: HttpResponse) -> HttpResponse {
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}
