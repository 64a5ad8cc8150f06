//! Callbacks that need more than the usual work: verified and parsed on a thread of their own, when it is their network's turn.

use std::{panic::resume_unwind, sync::Arc};

use tokio::time::{Instant, timeout_at};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    gateway::Gateway,
    network::Network,
    prepared::Prepared,
    receive::{ReceiveError, Received, store},
    turns::Turn,
    verifier::Unverified,
};

/// Verifies, parses and stores one callback. The wait for a turn counts as the wait for the commit does.
pub(super) async fn receive(
    gateway: &Arc<Gateway>,
    endpoint: &Arc<Endpoint>,
    callback: &Arc<Callback>,
) -> Result<Received, ReceiveError> {
    let deadline = Instant::now() + gateway.timeout;
    let prepared = timeout_at(deadline, prepare(gateway, endpoint, callback)).await.map_err(|_| Unverified::Unfinished)??;
    let rest = deadline.duration_since(Instant::now());
    store(&gateway.store, endpoint, prepared, rest).await
}

async fn prepare(gateway: &Arc<Gateway>, endpoint: &Arc<Endpoint>, callback: &Arc<Callback>) -> Result<Prepared, Unverified> {
    let turn = gateway.turns.take(Network::from(callback.client)).await.ok_or(Unverified::Unfinished)?;
    let (gateway, endpoint, callback) = (Arc::clone(gateway), Arc::clone(endpoint), Arc::clone(callback));
    let prepare = move || Prepared::with_whole_effort(&gateway.verifier, &endpoint, &callback);
    work(turn, prepare).await.unwrap_or(Err(Unverified::Unfinished))
}

/// Works on another thread. The turn lasts as long as the work, also if the client has disconnected. A panic continues here; `None` if
/// the server has ended.
async fn work<T: Send + 'static>(turn: Turn, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let with_turn = move || {
        let _turn = turn;
        work()
    };
    match tokio::task::spawn_blocking(with_turn).await {
        Ok(result) => Some(result),
        Err(error) => error.try_into_panic().map_or(None, |panic| resume_unwind(panic)),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;

    use super::*;
    use crate::turns::Turns;

    #[test]
    fn panic_reaches_the_request_and_ends_the_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let turns = Turns::new(1);
            for _ in 0..2 {
                let turn = turns.take(Network::Unknown).await.expect("a turn");
                let work = work(turn, || [0_u8; 0].first().copied().expect("the panic of this test"));
                assert!(AssertUnwindSafe(work).catch_unwind().await.is_err());
            }
            let turn = turns.take(Network::Unknown).await.expect("a turn");
            assert_eq!(work(turn, || 1).await, Some(1));
        });
    }
}
