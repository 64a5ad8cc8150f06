//! Refreshes the metrics that are read from tables, in the background.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use actix_web::{
    rt::time::sleep,
    web::{Data, block},
};

use crate::{gateway::Gateway, store::StoreError};

/// Keeps the queries out of the start.
const INITIAL_DELAY: Duration = Duration::from_secs(1);

/// Shortest pause between two refreshes. A pause is also at least this many times as long as the refresh took, so that refreshes take
/// at most 2% of the time.
const MIN_PAUSE: Duration = Duration::from_secs(30);
const PAUSE_FACTOR: u32 = 50;

pub(super) async fn refresh_gauges_periodically(gateway: &Data<Gateway>) -> Infallible {
    sleep(INITIAL_DELAY).await;
    run(gateway, Gateway::restore_last_seen).await;
    loop {
        let duration = run(gateway, Gateway::refresh_gauges).await;
        sleep(MIN_PAUSE.max(duration * PAUSE_FACTOR)).await;
    }
}

/// Runs a query and returns its duration.
async fn run(gateway: &Data<Gateway>, query: fn(&Gateway) -> Result<(), StoreError>) -> Duration {
    let (gateway, started) = (gateway.clone().into_inner(), Instant::now());
    if let Ok(Err(error)) = block(move || query(&gateway)).await {
        tracing::warn!(kind = error.kind(), "cannot read metrics from the tables");
    }
    started.elapsed()
}
