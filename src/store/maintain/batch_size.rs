//! Long-running work in short batches, each at most one transaction, so that it does not delay commits of callbacks.

use std::time::{Duration, Instant};

use diesel::QueryResult;

use crate::store::{Store, StoreError, db::connection::Connection};

/// Durations outside of which the batch size is adapted. A commit may be delayed by at most 100 ms.
const LONG: Duration = Duration::from_millis(50);
const SHORT: Duration = Duration::from_millis(20);

/// The initial and the maximum batch size.
const FIRST: i64 = 64;
const MAX: i64 = 2_000;

/// A batch size that adapts to the duration of the batches.
#[derive(Debug)]
pub(crate) struct AdaptiveBatch {
    rows: i64,
}

impl AdaptiveBatch {
    pub(crate) fn new() -> Self {
        Self { rows: FIRST }
    }

    fn adapt(&mut self, took: Duration) {
        if took > LONG {
            self.rows = (self.rows / 2).max(1);
        } else if took < SHORT {
            self.rows = (self.rows * 2).min(MAX);
        }
    }
}

impl Store {
    /// Runs one batch on the writer, then pauses for as long as it took.
    pub(crate) async fn run_batch<T: Send + 'static>(
        &self,
        size: &mut AdaptiveBatch,
        body: impl Fn(&mut Connection, i64) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let rows = size.rows;
        let timed = move |connection: &mut Connection| {
            let started = Instant::now();
            body(connection, rows).map(|outcome| (outcome, started.elapsed()))
        };
        let (outcome, took) = self.write(timed).await?;
        size.adapt(took);
        tokio::time::sleep(took).await;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_shrinks_after_long_batches_and_grows_after_short_ones() {
        let mut size = AdaptiveBatch::new();
        size.adapt(Duration::from_millis(80));
        assert_eq!(size.rows, FIRST / 2);
        (0..20).for_each(|_| size.adapt(Duration::from_millis(1)));
        assert_eq!(size.rows, MAX);
        (0..20).for_each(|_| size.adapt(Duration::from_secs(1)));
        assert_eq!(size.rows, 1);
        size.adapt(Duration::from_millis(30));
        assert_eq!(size.rows, 1);
    }
}
