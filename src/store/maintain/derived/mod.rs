//! Derived tables, updated in sorted batches in the background: addresses of messages, activity of endpoints, suppressions, and ranges of
//! ids. The position of each is stored; readers add the rows after it, or say how many there are.
//!
//! The rows to write are computed on a monitor's connection; the writer only writes them.

mod activity;
mod addresses;
mod settled;
pub(crate) mod suppressions;

use diesel::QueryResult;
use strum::VariantArray;

pub(crate) use self::{addresses::index_old_inbound, settled::Settled};
use crate::store::{
    Store,
    db::{
        connection::Connection,
        error::StoreError,
        positions::{self, ACTIVITY, ADDRESSES},
    },
    query::{
        ranges::{self, RangedTable},
        suppressions::count_uncovered,
    },
};

/// Rows of one step.
const BATCH_SIZE: i64 = 2_000;

/// Maximum number of rows after the position while callbacks are waiting.
const MAX_LAG: i64 = 100_000;

/// Steps for one list of suppressions.
const MAX_STEPS: usize = 8;

/// The rows that one step writes.
#[derive(Debug)]
enum Step {
    Addresses(addresses::Step),
    Activity(activity::Step),
    Suppressions(suppressions::Step),
    Range(RangedTable, ranges::Range),
}

impl Store {
    /// Updates the derived tables in short steps; while callbacks are waiting, only if the lag is too large. Returns the lag: the number
    /// of rows that are not covered yet.
    pub async fn derive(&self) -> Result<i64, StoreError> {
        let _deriving = self.deriving.lock().await;
        loop {
            let lag = self.lag().await?;
            if lag == 0 || (self.queued() > 0 && lag < MAX_LAG) {
                return Ok(lag);
            }
            let settled = self.settled.clone();
            let steps = self.read_async(move |connection| steps(connection, &settled)).await?;
            if steps.is_empty() {
                return Ok(lag);
            }
            // A table that has no ranges yet, after an upgrade, has thousands to come.
            let has_range = steps.iter().any(|step| matches!(step, Step::Range(..)));
            for step in steps {
                self.write(move |connection| step.write(connection)).await?;
            }
            // The rest arrived during this call and is left to the next one: a steady trickle would never let this one end.
            if lag <= BATCH_SIZE && !has_range {
                return self.lag().await;
            }
        }
    }

    /// Derives the suppressions of the newest events, so that a list shows them, unless callbacks are waiting or derived tables are being
    /// updated already: any number of requests for the list use one connection.
    pub async fn derive_suppressions(&self) -> Result<(), StoreError> {
        let Ok(_deriving) = self.deriving.try_lock() else { return Ok(()) };
        for round in 0..MAX_STEPS {
            if self.queued() > 0 {
                return Ok(());
            }
            let settled = self.settled.clone();
            let steps = self.read_async(move |connection| suppressions::next(connection, &settled)).await?;
            // The first check of a process settles no row where there are concurrent writers.
            if steps.is_empty() && round > 0 {
                return Ok(());
            }
            for step in steps {
                self.write(move |connection| step.write(connection)).await?;
            }
        }
        Ok(())
    }

    async fn lag(&self) -> Result<i64, StoreError> {
        let lag = self.read_async(lag).await?;
        self.metrics.set_unindexed(lag);
        Ok(lag)
    }

    /// Runs a query on a monitor's connection without blocking the calling thread or the writer.
    async fn read_async<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Connection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let monitors = self.readers.monitors()?;
        let read = move || Ok(body(&mut *monitors.get().map_err(|_| StoreError::Unavailable)?)?);
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Unavailable))
    }
}

/// The number of newest messages, requests, or events and inbound messages that are not covered.
fn lag(connection: &mut Connection) -> QueryResult<i64> {
    let messages = ranges::newest_id(connection, RangedTable::Messages)? - positions::get(connection, ADDRESSES)?.id;
    let requests = ranges::newest_id(connection, RangedTable::Requests)? - positions::get(connection, ACTIVITY)?.id;
    Ok(messages.max(requests).max(count_uncovered(connection)?).max(0))
}

/// The next steps.
fn steps(connection: &mut Connection, settled: &Settled) -> QueryResult<Vec<Step>> {
    let mut steps = Vec::new();
    for table in RangedTable::VARIANTS.iter().copied() {
        let settled = settled.last_row(connection, table)?;
        steps.extend(ranges::next_full(connection, table, settled)?.map(|range| Step::Range(table, range)));
        match table {
            RangedTable::Messages => steps.extend(addresses::next(connection, settled)?.map(Step::Addresses)),
            RangedTable::Requests => steps.extend(activity::next(connection, settled)?.map(Step::Activity)),
            _ => {}
        }
    }
    steps.extend(suppressions::next(connection, settled)?.into_iter().map(Step::Suppressions));
    Ok(steps)
}

impl Step {
    fn write(&self, connection: &mut Connection) -> QueryResult<()> {
        match self {
            Self::Addresses(step) => step.write(connection),
            Self::Activity(step) => step.write(connection),
            Self::Suppressions(step) => step.write(connection),
            Self::Range(table, range) => ranges::insert(connection, *table, *range),
        }
    }
}
