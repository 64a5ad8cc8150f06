//! Queued requests as messages of the stream: one line of JSON, then the exact body.

use async_nats::jetstream::message::PublishMessage;
use bytes::{BufMut, Bytes, BytesMut};

use super::options::StreamOptions;
use crate::queue::{QueuedRequest, Unreadable};

/// The subjects of a stream.
pub(super) fn subjects(stream: &StreamOptions) -> String {
    format!("{}.>", stream.name.to_ascii_lowercase())
}

/// The subject of a request: by provider and account, so that an operator can select them.
pub(super) fn subject(stream: &StreamOptions, request: &QueuedRequest) -> String {
    let token = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "-");
    format!("{}.{}.{}", stream.name.to_ascii_lowercase(), token(request.service_type()), token(request.account()))
}

/// The message of a request. The broker stores no second one with the same id within its window.
pub(super) fn encode(stream: &StreamOptions, request: &QueuedRequest) -> PublishMessage {
    let (head, body) = (request.head(), request.body());
    let mut payload = BytesMut::with_capacity(head.len() + 1 + body.len());
    payload.put_slice(head.as_bytes());
    payload.put_u8(b'\n');
    payload.put_slice(body);
    let id = format!("{}/{}:{}", request.service_type(), request.account(), hex::encode(request.key()));
    PublishMessage::build().payload(payload.freeze()).message_id(id).expected_stream(&stream.name)
}

/// The request of a message.
pub(super) fn decode(payload: &Bytes) -> Result<QueuedRequest, Unreadable> {
    let end = memchr::memchr(b'\n', payload).ok_or(Unreadable::Damaged)?;
    QueuedRequest::from_parts(&payload.slice(..end), payload.slice(end + 1..))
}
