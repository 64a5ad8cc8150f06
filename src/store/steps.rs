//! Long work in short steps, each a transaction of its own or less, so that nobody who commits a callback waits for it.

use std::time::{Duration, Instant};

use diesel::QueryResult;

use super::{Store, StoreError, connection::Connection};

/// A step takes less than this; 100 ms is the most that a commit may be held up.
const LONG: Duration = Duration::from_millis(50);
const SHORT: Duration = Duration::from_millis(20);

/// Rows of the first step, and the most of any.
const FIRST: i64 = 64;
const MOST: i64 = 2_000;

/// How many rows the next step takes.
#[derive(Debug)]
pub(super) struct Steps {
    rows: i64,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self { rows: FIRST }
    }

    fn adapt(&mut self, took: Duration) {
        if took > LONG {
            self.rows = (self.rows / 2).max(1);
        } else if took < SHORT {
            self.rows = (self.rows * 2).min(MOST);
        }
    }
}

impl Store {
    /// Has the writer do one step of that many rows, then leaves the database alone for as long as it took.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        steps: &mut Steps,
        body: impl Fn(&mut Connection, i64) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let rows = steps.rows;
        let timed = move |connection: &mut Connection| {
            let started = Instant::now();
            body(connection, rows).map(|outcome| (outcome, started.elapsed()))
        };
        let (outcome, took) = self.task(timed).await?;
        steps.adapt(took);
        tokio::time::sleep(took).await;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_shrink_when_they_are_long_and_grow_when_they_are_short() {
        let mut steps = Steps::new();
        steps.adapt(Duration::from_millis(80));
        assert_eq!(steps.rows, FIRST / 2);
        (0..20).for_each(|_| steps.adapt(Duration::from_millis(1)));
        assert_eq!(steps.rows, MOST);
        (0..20).for_each(|_| steps.adapt(Duration::from_secs(1)));
        assert_eq!(steps.rows, 1);
        steps.adapt(Duration::from_millis(30));
        assert_eq!(steps.rows, 1);
    }
}
