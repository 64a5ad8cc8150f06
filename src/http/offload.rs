//! Offloads callbacks that need more than the usual work to threads for blocking work, as many at once as the semaphore allows.

use std::{panic::resume_unwind, sync::Arc};

use tokio::time::{Instant, timeout_at};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    fair_semaphore::Permit,
    gateway::Gateway,
    network::Network,
    prepared::Prepared,
    receive::{ReceiveError, Received, store},
    verifier::Unverified,
};

/// Verifies, parses and stores one callback. The wait for a permit counts as the wait for the commit does.
pub(super) async fn receive(
    gateway: &Arc<Gateway>,
    endpoint: &Arc<Endpoint>,
    callback: &Arc<Callback>,
) -> Result<Received, ReceiveError> {
    let deadline = Instant::now() + gateway.timeout;
    let prepared = timeout_at(deadline, prepare(gateway, endpoint, callback)).await.map_err(|_| Unverified::Unfinished)??;
    let rest = deadline.duration_since(Instant::now());
    store(&gateway.intake, endpoint, prepared, rest).await
}

async fn prepare(gateway: &Arc<Gateway>, endpoint: &Arc<Endpoint>, callback: &Arc<Callback>) -> Result<Prepared, Unverified> {
    let permit = gateway.offload.acquire(Network::from(callback.client)).await.ok_or(Unverified::Unfinished)?;
    let (gateway, endpoint, callback) = (Arc::clone(gateway), Arc::clone(endpoint), Arc::clone(callback));
    let prepare = move || Prepared::with_whole_effort((&gateway.verifier, &gateway.intake), &endpoint, &callback);
    work(permit, prepare).await.unwrap_or(Err(Unverified::Unfinished))
}

/// Works on another thread. The permit is held as long as the work lasts, also if the client has disconnected. A panic continues here; `None` if
/// the server has ended.
async fn work<T: Send + 'static>(permit: Permit, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let with_permit = move || {
        let _permit = permit;
        work()
    };
    match tokio::task::spawn_blocking(with_permit).await {
        Ok(result) => Some(result),
        Err(error) => error.try_into_panic().map_or(None, |panic| resume_unwind(panic)),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;

    use super::*;
    use crate::fair_semaphore::FairSemaphore;

    #[test]
    fn panic_reaches_the_request_and_releases_the_permit() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let semaphore = FairSemaphore::new(1);
            for _ in 0..2 {
                let permit = semaphore.acquire(Network::Unknown).await.expect("a permit");
                let work = work(permit, || [0_u8; 0].first().copied().expect("the panic of this test"));
                assert!(AssertUnwindSafe(work).catch_unwind().await.is_err());
            }
            let permit = semaphore.acquire(Network::Unknown).await.expect("a permit");
            assert_eq!(work(permit, || 1).await, Some(1));
        });
    }
}
