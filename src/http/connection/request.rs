//! The requests of a connection: when one begins, when its body is complete, when its response is.

use std::{
    future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_http::{BoxedPayloadStream, Payload, Request, Response, error::PayloadError};
use actix_web::{
    Error, HttpRequest,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
    http::{ConnectionType, header},
};
use bytes::Bytes;
use futures_util::Stream;

use super::state::Connection;

/// Calls the application, and reports the stages of the request to its connection. The end of a body is reported by
/// [`note_body_received`], unless `is_body_tracked`, which costs an allocation.
///
/// actix announces the end of a connection, and then serves requests that it has received already. These stay unanswered here.
pub(super) fn track<S>(
    mut request: Request,
    app: &S,
    is_body_tracked: bool,
) -> impl Future<Output = Result<Response<Answer>, Error>> + use<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let connection = request.conn_data::<Rc<Connection>>().map(Rc::clone);
    let mut is_served = true;
    if let Some(connection) = &connection {
        let has_body = !matches!(request.payload(), Payload::None);
        is_served = connection.begin(has_body);
        if has_body && is_body_tracked && is_served {
            let body = TrackedBody { payload: request.take_payload(), connection: Rc::clone(connection) };
            let body: BoxedPayloadStream = Box::pin(body);
            request = request.replace_payload(Payload::Stream { payload: body }).0;
        }
    }
    let response = is_served.then(|| app.call(request));
    async move {
        let Some(response) = response else { return future::pending().await };
        let response = response.await;
        let is_last =
            connection.as_ref().is_some_and(|connection| response.as_ref().is_ok_and(|response| is_last(response, connection)));
        let mut response: Response<BoxBody> = response.map_or_else(Into::into, Into::into);
        if is_last {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        if let Some(connection) = &connection {
            connection.answered(is_last);
        }
        Ok(response.map_body(|_, body| Answer { body, connection }))
    }
}

/// True if no request is served after this one. Of a body that was not read, only a chunked one can be discarded to its end.
fn is_last(response: &ServiceResponse<BoxBody>, connection: &Connection) -> bool {
    let request = response.request();
    [request.head().connection_type(), response.response().head().connection_type()].contains(&ConnectionType::Close)
        || (connection.has_unread_body() && !request.headers().contains_key(header::TRANSFER_ENCODING))
}

struct TrackedBody {
    payload: Payload,
    connection: Rc<Connection>,
}

impl Stream for TrackedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(Pin::new(&mut self.payload).poll_next(context));
        if chunk.is_none() {
            self.connection.body_received();
        }
        Poll::Ready(chunk)
    }
}

/// The handler of the request has read the body to its end.
pub(in crate::http) fn note_body_received(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        connection.body_received();
    }
}

/// The request has a valid token, so that its connection is not evicted in favor of those without.
pub(in crate::http) fn note_login(request: &ServiceRequest) {
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        connection.token_shown();
    }
}

/// The body of a response. The server drops it when it is complete.
pub(super) struct Answer {
    body: BoxBody,
    connection: Option<Rc<Connection>>,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.finished();
        }
    }
}
