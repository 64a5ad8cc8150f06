//! Reads request bodies, within a deadline and a limit on the memory of all bodies together.

use std::{
    future, mem,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::response::RequestError;

/// ARCHITECTURE.md, "Limits".
pub(super) const MAX_BODY: usize = 256 << 10;
const DEADLINE: Duration = Duration::from_secs(5);

/// Share of the memory for bodies that one body uses.
type BodyPermit<'g> = Option<SemaphorePermit<'g>>;

/// Reads a body. A timer is started only for a body that did not arrive together with its headers.
pub(super) async fn read<'g>(
    payload: Payload,
    capacity: &'g Semaphore,
    permit: &mut BodyPermit<'g>,
) -> Result<Bytes, RequestError> {
    let mut body = pin!(collect(payload, capacity, permit));
    match poll_twice(body.as_mut()).await {
        Some(body) => body,
        None => tokio::time::timeout(DEADLINE, body).await.map_err(|_| RequestError::Timeout)?,
    }
}

/// Polls a future twice, without a timer. The server polls a handler once before it hands over a body that arrived with its headers, as
/// most do; the second poll then completes at once.
async fn poll_twice<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut is_first = true;
    future::poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if mem::take(&mut is_first) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn collect<'g>(mut payload: Payload, capacity: &'g Semaphore, permit: &mut BodyPermit<'g>) -> Result<Bytes, RequestError> {
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| RequestError::Malformed)?;
        length += chunk.len();
        if length > MAX_BODY {
            return Err(RequestError::TooLarge);
        }
        // A body that arrives in one chunk is not copied.
        if length == chunk.len() {
            first = chunk;
        } else {
            joined.extend_from_slice(&mem::take(&mut first));
            joined.extend_from_slice(&chunk);
        }
        // Rounded up once for all chunks, so that tiny chunks use no more than their bytes.
        let held = permit.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = u32::try_from(length.div_ceil(1024) - held).map_err(|_| RequestError::TooLarge)?;
        let more = capacity.try_acquire_many(more).map_err(|_| RequestError::Overloaded)?;
        match permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
