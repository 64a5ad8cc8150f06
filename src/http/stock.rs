//! Reads for the metrics what stands in the tables, beside everything else.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use actix_web::{
    rt::time::sleep,
    web::{Data, block},
};

use crate::{gateway::Gateway, store::StoreError};

/// Not in the middle of the start.
const START: Duration = Duration::from_secs(1);

/// At the most so often, and at the most this part of the time.
const INTERVAL: Duration = Duration::from_secs(30);
const PART: u32 = 50;

pub(super) async fn take_now_and_then(gateway: &Data<Gateway>) -> Infallible {
    sleep(START).await;
    read(gateway, Gateway::recall).await;
    loop {
        let took = read(gateway, Gateway::take_stock).await;
        sleep(INTERVAL.max(took * PART)).await;
    }
}

/// Reads something; how long that took.
async fn read(gateway: &Data<Gateway>, what: fn(&Gateway) -> Result<(), StoreError>) -> Duration {
    let (gateway, started) = (gateway.clone().into_inner(), Instant::now());
    if let Ok(Err(error)) = block(move || what(&gateway)).await {
        tracing::warn!(kind = error.kind(), "the tables cannot be read for the metrics");
    }
    started.elapsed()
}
