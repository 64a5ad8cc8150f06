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

/// The least memory for a body that arrives in several chunks, if it is not declared to be shorter.
const FIRST_STEP: usize = 16 << 10;

impl From<NoRoom> for RequestError {
    fn from(_: NoRoom) -> Self {
        Self::Overloaded
    }
}

/// Reads a body, whose length may be known. Only one that did not arrive together with its headers has a timer and can be evicted.
pub(super) async fn read(payload: Payload, length: Option<usize>, permit: &BodyPermit<'_>) -> Result<Bytes, RequestError> {
    let mut body = pin!(collect(payload, length, permit));
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

async fn collect(mut payload: Payload, expected: Option<usize>, permit: &BodyPermit<'_>) -> Result<Bytes, RequestError> {
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| RequestError::Malformed)?;
        length += chunk.len();
        if length > MAX_BODY {
            return Err(RequestError::TooLarge);
        }
        let is_first = length == chunk.len();
        let memory = match joined.capacity() {
            _ if is_first => length,
            capacity if capacity < length => memory_for(length, expected),
            capacity => capacity,
        };
        // Counted before it is used.
        permit.grow(length, memory)?;
        // A body that arrives in one chunk is not copied.
        if is_first {
            first = chunk;
            continue;
        }
        if joined.capacity() < length {
            let smaller = mem::replace(&mut joined, BytesMut::with_capacity(memory));
            joined.extend_from_slice(&smaller);
        }
        joined.extend_from_slice(&mem::take(&mut first));
        joined.extend_from_slice(&chunk);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// The memory for a body of which that much has arrived: at most twice as much beyond the first step, whatever length is declared.
fn memory_for(length: usize, expected: Option<usize>) -> usize {
    expected.unwrap_or(MAX_BODY).min((2 * length).max(FIRST_STEP)).max(length)
}
