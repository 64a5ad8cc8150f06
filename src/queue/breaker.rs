//! The circuit breaker in front of the database. It is open while the database is unavailable: no callback then waits for it. The
//! drain tests the database in the background and closes it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Open while the database is unavailable.
#[derive(Debug, Default)]
pub struct Breaker(AtomicBool);

impl Breaker {
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn open(&self) {
        if !self.0.swap(true, Ordering::AcqRel) {
            tracing::error!("the database is unavailable: callbacks wait in the queue");
        }
    }

    pub fn close(&self) {
        if self.0.swap(false, Ordering::AcqRel) {
            tracing::info!("the database is available again");
        }
    }
}
