//! From an HTTP request to a [`Callback`] and back: route, limits, body with a deadline; nothing else.

use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{ConnectionType, header},
    web::{Data, Payload},
};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::SemaphorePermit;

use super::answer::{self, Unacceptable};
use crate::{
    callback::{Callback, Headers},
    endpoint::Endpoint,
    endpoints::Routed,
    gateway::Gateway,
    metrics::{Counted, Outcome, RejectedCause},
    provider::Spec,
    receive::{Refusal, receive},
    signature::Rejected,
};

/// ARCHITECTURE.md, "Limits".
const MAX_BODY: usize = 256 << 10;
const MAX_TARGET: usize = 8 << 10;
const MAX_HEADERS: usize = 96;
const MAX_HEADER_BYTES: usize = 32 << 10;
const BODY_DEADLINE: Duration = Duration::from_secs(5);

/// Every request of the public listener that is not about health.
pub(super) async fn handle(request: HttpRequest, payload: Payload, gateway: Data<Gateway>) -> HttpResponse {
    // The raw path decides: no decoding, no normalizing, so no two spellings of one endpoint.
    let Some(routed) = gateway.route(request.uri().path()) else {
        return answer::unacceptable(Unacceptable::NotFound);
    };
    let endpoint = routed.endpoint;
    let mut counted = endpoint.metrics.received(endpoint.spec.methods.contains(&request.method().as_str()));
    let answered = AssertUnwindSafe(answer(&request, payload, &gateway, routed, &mut counted)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(provider = endpoint.spec.name, account = endpoint.account.as_str(), "a handler panicked");
        counted.becomes(Unacceptable::Panicked.into());
        answer::unacceptable(Unacceptable::Panicked)
    });
    if gateway.is_stopping() {
        // The next request of this client finds another gateway.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    counted.answered(response.status().as_u16());
    response
}

async fn answer(
    request: &HttpRequest,
    payload: Payload,
    gateway: &Gateway,
    routed: Routed<'_>,
    counted: &mut Counted<'_>,
) -> HttpResponse {
    let endpoint = routed.endpoint;
    let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
    // The room that the body takes is given back when the request is answered.
    let mut room = None;
    let callback = match callback(request, payload, gateway, routed, &mut room).await {
        Ok(callback) => callback,
        Err(Refused::Early(why)) => {
            tracing::warn!(provider, account, ?why, "unacceptable request");
            counted.becomes(why.into());
            return answer::unacceptable(why);
        }
        Err(Refused::Unsigned(head)) => {
            counted.becomes(Outcome::Rejected(RejectedCause::NotGenuine(Rejected::Missing)));
            return answer::closing(rejected(gateway, endpoint, *head, Rejected::Missing, counted));
        }
    };
    let result = receive(&gateway.store, endpoint, &callback, gateway.timeout).await;
    counted.came_to(&result);
    match result {
        Ok(received) => answer::received(&received),
        Err(Refusal::Rejected(cause)) => rejected(gateway, endpoint, callback, cause, counted),
        Err(refusal) => answer::refused(&refusal, endpoint),
    }
}

/// The answer to what is not genuine. It is kept for diagnosis, unless its network has sent too much of that.
fn rejected(
    gateway: &Gateway,
    endpoint: &Endpoint,
    callback: Callback,
    cause: Rejected,
    counted: &mut Counted<'_>,
) -> HttpResponse {
    match gateway.rejections.take(endpoint, callback, cause) {
        Ok(()) => answer::refused(&cause.into(), endpoint),
        Err(limited) => {
            counted.becomes(Outcome::Rejected(RejectedCause::Limited));
            answer::too_many(limited.retry_after)
        }
    }
}

/// Why a request did not become a callback.
enum Refused {
    Early(Unacceptable),
    /// It carries no signature at all; its body was not read.
    Unsigned(Box<Callback>),
}

impl From<Unacceptable> for Refused {
    fn from(why: Unacceptable) -> Self {
        Self::Early(why)
    }
}

type Room<'g> = Option<SemaphorePermit<'g>>;

async fn callback<'g>(
    request: &HttpRequest,
    payload: Payload,
    gateway: &'g Gateway,
    routed: Routed<'_>,
    room: &mut Room<'g>,
) -> Result<Callback, Refused> {
    let Routed { endpoint, route, url_token } = routed;
    let mut callback = Callback {
        method: request.method().as_str().to_owned(),
        target: request.uri().path_and_query().map_or_else(|| request.uri().path().to_owned(), ToString::to_string),
        route,
        url_token,
        client: client(request, gateway),
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: headers(request),
        body: Bytes::new(),
        received_at: gateway.clock.now(),
    };
    if !endpoint.allows(&callback) {
        return Err(Unacceptable::Forbidden.into());
    }
    check_head(request, endpoint.spec)?;
    if !endpoint.may_be_genuine(&callback) {
        return Err(Refused::Unsigned(Box::new(callback)));
    }
    callback.body = tokio::time::timeout(BODY_DEADLINE, read(payload, gateway, room)).await.map_err(|_| Unacceptable::Slow)??;
    callback.received_at = gateway.clock.now();
    Ok(callback)
}

/// The client's address. Trusted proxies are passed over, from the right: what stands left of the first other address was
/// written by that address. An entry that cannot be read makes the client unknown.
fn client(request: &HttpRequest, gateway: &Gateway) -> Option<IpAddr> {
    let mut client = request.peer_addr()?.ip().to_canonical();
    let forwarded: Vec<&str> =
        request.headers().get_all("x-forwarded-for").flat_map(|value| value.to_str().unwrap_or("?").split(',')).collect();
    for address in forwarded.into_iter().rev() {
        if !gateway.trusts(client) {
            break;
        }
        let address = address.trim();
        let with_port = || address.parse::<SocketAddr>().ok().map(|address| address.ip());
        client = address.parse::<IpAddr>().ok().or_else(with_port)?.to_canonical();
    }
    Some(client)
}

/// What can be refused before the body is read.
fn check_head(request: &HttpRequest, spec: &Spec) -> Result<(), Unacceptable> {
    if !spec.methods.contains(&request.method().as_str()) {
        return Err(Unacceptable::Method(spec.methods));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET || headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(Unacceptable::TooLarge);
    }
    let identity = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).all(identity) {
        return Err(Unacceptable::Encoded);
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY) { Err(Unacceptable::TooLarge) } else { Ok(()) }
}

async fn read<'g>(mut payload: Payload, gateway: &'g Gateway, room: &mut Room<'g>) -> Result<Bytes, Unacceptable> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unacceptable::Malformed)?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Unacceptable::TooLarge);
        }
        body.extend_from_slice(&chunk);
        // By the bytes together: a body cut into tiny chunks takes no more room than its bytes.
        let held = room.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = u32::try_from(body.len().div_ceil(1024) - held).map_err(|_| Unacceptable::TooLarge)?;
        let more = gateway.body_room.try_acquire_many(more).map_err(|_| Unacceptable::Overloaded)?;
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
    }
    Ok(body.freeze())
}

fn headers(request: &HttpRequest) -> Headers {
    request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}
