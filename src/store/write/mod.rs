//! The write path: a queue, its writer, and one transaction for all queued records.

mod append_all;
pub(crate) mod batch;
pub(crate) mod checkpoint;
pub(crate) mod commit;
pub(crate) mod committed;
pub(crate) mod disk;
pub(crate) mod events;
pub(crate) mod isolate;
pub(crate) mod last_failure;
mod postgres;
pub(crate) mod queue;
pub(crate) mod receipts;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod running;
pub(crate) mod sqlite;
pub(crate) mod writer;
