//! Reads request bodies, within a deadline, a least rate and a limit on the memory of all bodies together.

use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    task::Poll,
};

use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::response::RequestError;
use crate::body_room::{BodyPermit, NoRoom};

/// ARCHITECTURE.md, "Limits".
pub(super) const MAX_BODY: usize = 256 << 10;

/// Memory that is reserved at once.
const SEGMENT: usize = 16 << 10;

impl From<NoRoom> for RequestError {
    fn from(_: NoRoom) -> Self {
        Self::Overloaded
    }
}

/// Reads a body. Only one that did not arrive together with its headers has a timer and can be evicted.
pub(super) async fn read(payload: Payload, permit: &BodyPermit<'_>) -> Result<Bytes, RequestError> {
    let mut body = pin!(collect(payload, permit));
    let body = match poll_twice(body.as_mut()).await {
        Some(body) => body,
        None => read_rest(body, permit).await,
    };
    permit.complete();
    body
}

/// Polls a future twice, without a timer. The server polls a handler once before it hands over a body that arrived with its headers, as
/// most do; the second poll then completes at once.
async fn poll_twice<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut is_first = true;
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if mem::take(&mut is_first) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn read_rest(
    mut body: Pin<&mut impl Future<Output = Result<Bytes, RequestError>>>,
    permit: &BodyPermit<'_>,
) -> Result<Bytes, RequestError> {
    permit.list();
    let deadline = || permit.deadline().map_or_else(Instant::now, Instant::from_std);
    let mut timer = pin!(sleep_until(deadline()));
    poll_fn(|context| {
        if let Poll::Ready(body) = body.as_mut().poll(context) {
            return Poll::Ready(body);
        }
        if permit.is_evicted(context.waker()) {
            return Poll::Ready(Err(RequestError::Overloaded));
        }
        // The deadline moves with the bytes, and the timer follows when it fires.
        while timer.as_mut().poll(context).is_ready() {
            if deadline() <= Instant::now() {
                return Poll::Ready(Err(RequestError::Timeout));
            }
            timer.as_mut().reset(deadline());
        }
        Poll::Pending
    })
    .await
}

async fn collect(mut payload: Payload, permit: &BodyPermit<'_>) -> Result<Bytes, RequestError> {
    let mut parts = Parts::default();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| RequestError::Malformed)?;
        if parts.length + chunk.len() > MAX_BODY {
            return Err(RequestError::TooLarge);
        }
        permit.grow(parts.memory_with(&chunk))?;
        parts.push(chunk);
    }
    Ok(parts.join())
}

/// The parts of a body, in memory of one size: what was given back by one body is used by the next, and no more is held than counted.
#[derive(Default)]
struct Parts {
    length: usize,
    /// A body that arrives in one chunk is not copied.
    first: Bytes,
    segments: Vec<BytesMut>,
}

impl Parts {
    /// The memory that is used once a chunk is added.
    fn memory_with(&self, chunk: &Bytes) -> usize {
        let length = self.length + chunk.len();
        if self.length == 0 { length } else { length.next_multiple_of(SEGMENT) }
    }

    fn push(&mut self, chunk: Bytes) {
        if self.length == 0 {
            self.length = chunk.len();
            self.first = chunk;
            return;
        }
        self.length += chunk.len();
        let first = mem::take(&mut self.first);
        self.copy(&first);
        self.copy(&chunk);
    }

    fn copy(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.segments.last_mut().filter(|segment| segment.len() < SEGMENT) {
                Some(segment) => {
                    let (now, later) = bytes.split_at(bytes.len().min(SEGMENT - segment.len()));
                    segment.extend_from_slice(now);
                    bytes = later;
                }
                None => self.segments.push(BytesMut::with_capacity(SEGMENT)),
            }
        }
    }

    fn join(mut self) -> Bytes {
        match self.segments.len() {
            0 => self.first,
            1 => self.segments.pop().unwrap_or_default().freeze(),
            _ => {
                let mut joined = BytesMut::with_capacity(self.length);
                self.segments.iter().for_each(|segment| joined.extend_from_slice(segment));
                joined.freeze()
            }
        }
    }
}
