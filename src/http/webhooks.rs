//! The webhook handler: converts an HTTP request to a [`Callback`], within limits, and the outcome to a response.

use std::{panic::AssertUnwindSafe, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{ConnectionType, Method, header, uri::PathAndQuery},
    web::{Data, Payload},
};
use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    body::{self, MAX_BODY},
    client_address::client_address,
    connection,
    guess::count_wrong_url_token,
    offload,
    response::{self, RequestError},
};
use crate::{
    body_room::BodyPermit,
    callback::Callback,
    endpoint::Endpoint,
    gateway::Gateway,
    metrics::{Outcome, RejectedCause, RequestGuard},
    provider::Spec,
    receive::{ReceiveError, receive},
    router::Route,
    signature::VerifyError,
    url_token,
    verifier::Unverified,
};

/// ARCHITECTURE.md, "Limits".
const MAX_TARGET: usize = 8 << 10;
const MAX_HEADERS: usize = 96;
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Handles every request of the public listener except health checks.
pub(super) async fn handle(request: HttpRequest, payload: Payload, gateway: Data<Gateway>) -> HttpResponse {
    let path = request.uri().path();
    // The request ends with the endpoint with which it begins, whatever a reload changes.
    let router = gateway.router();
    // Matches the raw path, without decoding or normalization, so that an endpoint has exactly one path.
    let Some(route) = router.route(path) else {
        gateway.note_unknown_path(path, &router);
        // A token in the path is a guess, even below a path that does not exist.
        let is_guess = path.contains(url_token::SEGMENT);
        return match is_guess.then(|| count_wrong_url_token(&request, &gateway)) {
            Some(Err(limited)) => response::too_many_requests(limited.retry_after),
            _ => response::request_error(RequestError::NotFound),
        };
    };
    let endpoint = route.endpoint;
    let mut guard = endpoint.metrics.count_request(endpoint.spec.methods.contains(&request.method().as_str()));
    let result = AssertUnwindSafe(respond(&request, payload, &gateway, route, &mut guard)).catch_unwind().await;
    let mut response = result.unwrap_or_else(|_| {
        tracing::error!(provider = endpoint.spec.name, account = endpoint.account.as_str(), "handler panicked");
        guard.set_outcome(RequestError::Panicked.into());
        response::request_error(RequestError::Panicked)
    });
    if gateway.is_stopping() {
        // The client's next connection reaches another gateway.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    guard.respond(response.status().as_u16());
    response
}

async fn respond(
    request: &HttpRequest,
    payload: Payload,
    gateway: &Arc<Gateway>,
    route: Route<'_>,
    guard: &mut RequestGuard<'_>,
) -> HttpResponse {
    let endpoint = route.endpoint;
    let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
    let client = client_address(request, gateway);
    // Held until the request is answered.
    let permit = gateway.body_room.permit(client);
    let callback = match read_callback(request, payload, gateway, route, &permit).await {
        Ok(callback) => callback,
        Err(ReadError::Request(error)) => {
            if error != RequestError::Head
                && let Some(count) = endpoint.metrics.count_log_line(error.into())
            {
                tracing::warn!(provider, account, why = ?error, count, "request error; each kind is logged at most once a minute");
            }
            guard.set_outcome(error.into());
            return response::request_error(error);
        }
        Err(ReadError::Unsigned(head, cause)) => {
            guard.set_outcome(cause.into());
            return response::close_after(reject(gateway, endpoint, *head, cause, guard));
        }
    };
    let result = receive((&gateway.verifier, &gateway.intake), endpoint, &callback, gateway.timeout).await;
    let (result, callback) = match result {
        Err(ReceiveError::Unverified(Unverified::Unfinished)) => {
            let callback = Arc::new(callback);
            let result = Box::pin(offload::receive(gateway, endpoint, &callback)).await;
            (result, Arc::unwrap_or_clone(callback))
        }
        result => (result, callback),
    };
    guard.set_outcome((&result).into());
    match result {
        Ok(received) => response::durable(&received),
        Err(ReceiveError::Unverified(Unverified::Rejected(cause))) => reject(gateway, endpoint, callback, cause, guard),
        Err(error) => response::receive_error(&error, endpoint),
    }
}

/// Records a rejected callback for diagnosis, unless its network has exceeded the limit for these.
fn reject(
    gateway: &Gateway,
    endpoint: &Endpoint,
    callback: Callback,
    cause: VerifyError,
    guard: &mut RequestGuard<'_>,
) -> HttpResponse {
    match gateway.rejections.record(endpoint, callback, cause) {
        Ok(()) => response::receive_error(&Unverified::Rejected(cause).into(), endpoint),
        Err(limited) => {
            guard.set_outcome(Outcome::Rejected(RejectedCause::Limited));
            response::too_many_requests(limited.retry_after)
        }
    }
}

/// Reason for which a request did not become a callback.
enum ReadError {
    Request(RequestError),
    /// The request has no proof; its body was not read.
    Unsigned(Box<Callback>, VerifyError),
}

impl From<RequestError> for ReadError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

async fn read_callback(
    request: &HttpRequest,
    payload: Payload,
    gateway: &Gateway,
    route: Route<'_>,
    permit: &BodyPermit<'_>,
) -> Result<Callback, ReadError> {
    let Route { endpoint, route, url_token } = route;
    let mut callback = Callback {
        method: request.method().as_str().to_owned(),
        target: target(request).to_owned(),
        route,
        url_token,
        client: permit.client(),
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        body: Bytes::new(),
        received_at: gateway.clock.now(),
    };
    if !endpoint.allows(&callback) {
        return Err(RequestError::Forbidden.into());
    }
    let length = check_head(request, endpoint.spec)?;
    if let Err(cause) = endpoint.check_head(&callback) {
        return Err(ReadError::Unsigned(Box::new(callback), cause));
    }
    callback.body = body::read(payload, length, permit).await?;
    check_method(&callback.method, callback.body.len())?;
    connection::note_body_received(request);
    callback.received_at = gateway.clock.now();
    Ok(callback)
}

/// Checks limits that need no body. Returns its length, if that is declared.
fn check_head(request: &HttpRequest, spec: &Spec) -> Result<Option<usize>, RequestError> {
    if request.method() == Method::HEAD && spec.methods.contains(&"GET") {
        return Err(RequestError::Head);
    }
    if !spec.methods.contains(&request.method().as_str()) {
        return Err(RequestError::Method(spec.methods));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if target(request).len() > MAX_TARGET || headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(RequestError::TooLarge);
    }
    let identity = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).all(identity) {
        return Err(RequestError::UnsupportedEncoding);
    }
    // actix would read all that follows as the body, whatever its length.
    if headers.get_all(header::UPGRADE).any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket")) {
        return Err(RequestError::Malformed);
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY) {
        return Err(RequestError::TooLarge);
    }
    check_method(request.method().as_str(), length.unwrap_or_default())?;
    Ok(length)
}

/// Rejects a GET with a body, which no provider sends: it would be a re-encoded POST.
fn check_method(method: &str, body_length: usize) -> Result<(), RequestError> {
    if method == "GET" && body_length > 0 { Err(RequestError::Malformed) } else { Ok(()) }
}

/// The raw path and query.
fn target(request: &HttpRequest) -> &str {
    request.uri().path_and_query().map_or_else(|| request.uri().path(), PathAndQuery::as_str)
}
