//! Publishing: a request is durable once the broker has confirmed it.

use std::{error::Error, time::Duration};

use async_nats::jetstream::{
    self, Context, ErrorCode,
    context::{ContextBuilder, PublishError, PublishErrorKind},
};
use tokio::time::timeout;

use super::{connect, message, options::StreamOptions};
use crate::{
    log_throttle::LogThrottles,
    queue::{QueueError, Queued, QueuedRequest},
};

/// Longest wait for the broker's confirmation. After it the outcome is unknown; the provider sends the callback again.
const DEADLINE: Duration = Duration::from_millis(2_500);

/// Requests that may wait for a confirmation at once.
const MAX_IN_FLIGHT: usize = 4_096;

/// Publishes requests, from any thread.
pub(super) struct Publisher {
    context: Context,
    stream: StreamOptions,
    throttles: LogThrottles,
}

impl Publisher {
    pub(super) fn new(client: async_nats::Client, stream: &StreamOptions) -> Self {
        let context = ContextBuilder::new()
            .timeout(DEADLINE)
            .ack_timeout(DEADLINE)
            .max_ack_inflight(MAX_IN_FLIGHT)
            .backpressure_on_inflight(false)
            .build(client);
        Self { context, stream: stream.clone(), throttles: LogThrottles::default() }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) async fn publish(&self, request: QueuedRequest) -> Result<Queued, QueueError> {
        // The client would keep the message until it is connected again, and send it long after the response.
        if !connect::is_connected(&self.context.client()) {
            return Err(QueueError::Unavailable);
        }
        let subject = message::subject(&self.stream, &request);
        let message = message::encode(&self.stream, &request);
        let confirmed = timeout(DEADLINE, async { self.context.send_publish(subject, message).await?.await });
        let error = match confirmed.await {
            // A copy of a message that is itself not confirmed yet has no number.
            Ok(Ok(ack)) if ack.sequence > 0 => return Ok(Queued::new(&request, ack.duplicate)),
            Ok(Ok(_)) | Err(_) => PublishError::new(PublishErrorKind::TimedOut),
            Ok(Err(error)) => error,
        };
        let (kind, failure) = classify(&error);
        if let Some(count) = self.throttles.count(kind) {
            tracing::warn!(count, "cannot publish to the stream {}: {error}; logged at most once a minute", self.stream.name);
        }
        Err(failure)
    }
}

/// The kind of an error for the log, and its meaning.
fn classify(error: &PublishError) -> (&'static str, QueueError) {
    match error.kind() {
        PublishErrorKind::MaxAckPending => ("in flight", QueueError::Busy),
        PublishErrorKind::StreamNotFound => ("no stream", QueueError::Unavailable),
        PublishErrorKind::TimedOut => ("timed out", QueueError::Unavailable),
        PublishErrorKind::MaxPayloadExceeded => ("too large", QueueError::Unavailable),
        _ if is_full(error) => ("full", QueueError::Full),
        _ => ("failed", QueueError::Unavailable),
    }
}

/// True if the stream, the account or the server has reached a limit.
fn is_full(error: &PublishError) -> bool {
    let refused = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    refused.is_some_and(|refused| match refused.error_code() {
        ErrorCode::STREAM_STORE_FAILED => refused.to_string().contains("exceeded"),
        code => {
            code == ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
                || code == ErrorCode::INSUFFICIENT_RESOURCES
                || code == ErrorCode::STORAGE_RESOURCES_EXCEEDED
        }
    })
}
