//! The thread that examines and stores rejected requests.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::shares::Shares;
use crate::{
    doctor,
    router::CurrentRouter,
    store::{RejectedRequest, Rejection, RingBuffer},
    time::Timestamp,
};

/// Rows in one transaction, and their approximate size.
const MAX_BATCH: usize = 16;
const MAX_BATCH_BYTES: usize = 1 << 20;

/// A job for the thread.
pub(super) enum Job {
    Record(Box<QueuedRequest>),
    /// Deletes expired rows.
    Trim(Timestamp),
    /// Drop the sender once everything before it is stored.
    Settle(std::sync::mpsc::Sender<()>),
    Stop,
}

pub(super) struct QueuedRequest {
    /// The path of its endpoint.
    pub(super) path: String,
    pub(super) request: RejectedRequest,
    pub(super) is_examined: bool,
    /// Its room in the queue, which is freed with it.
    pub(super) room: OwnedSemaphorePermit,
}

pub(super) struct Recorder {
    pub(super) router: CurrentRouter,
    /// `None` without a database.
    pub(super) ring: Option<RingBuffer>,
    pub(super) shares: Arc<Shares>,
}

impl Recorder {
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Batch::default();
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Record(queued) => {
                    batch.now = Some(queued.request.callback.received_at);
                    batch.rows.extend(self.row(*queued, &mut batch.bytes));
                    if jobs.is_empty() || batch.is_full() {
                        self.store(&mut batch);
                    }
                }
                Job::Trim(now) => {
                    self.store(&mut batch);
                    if self.ring.as_mut().is_some_and(|ring| ring.trim(now).is_err()) {
                        tracing::debug!("database busy or unavailable: rejected requests are not trimmed");
                    }
                }
                Job::Settle(sender) => {
                    self.store(&mut batch);
                    drop(sender);
                }
                Job::Stop => break,
            }
        }
        self.store(&mut batch);
    }

    /// The row of a request, with the doctor's finding.
    fn row(&self, queued: QueuedRequest, bytes: &mut usize) -> Option<Rejection> {
        let QueuedRequest { path, mut request, is_examined, room: _freed_at_the_end } = queued;
        let router = self.router.get();
        let endpoint = router.endpoint_at(&path)?;
        if is_examined {
            let (callback, cause) = (&request.callback, request.cause);
            // The thread must survive a bug in the doctor.
            let examine = AssertUnwindSafe(|| doctor::examine(&router, endpoint, callback, cause));
            let finding = catch_unwind(examine).ok()?;
            if finding.is_near_miss
                && let Some(count) = endpoint.metrics.count_log_line("near_miss")
            {
                let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
                tracing::warn!(provider, account, count, "a near miss: {}", finding.sentence);
            }
            (request.finding, request.is_near_miss) = (Some(finding.sentence), finding.is_near_miss);
        }
        let callback = &request.callback;
        let is_kept =
            request.is_near_miss && self.shares.may_store(&path, callback.client, callback.body.len(), callback.received_at);
        if !is_kept {
            request.cut_body();
        }
        *bytes += request.size();
        Some(Rejection::new(endpoint, request))
    }

    fn store(&mut self, batch: &mut Batch) {
        let Batch { rows, now: Some(now), .. } = std::mem::take(batch) else { return };
        if self.ring.as_mut().is_some_and(|ring| ring.insert(&rows, now).is_err()) {
            tracing::debug!(rows = rows.len(), "database busy or unavailable: rejected requests dropped");
        }
    }
}

/// Rows for one transaction.
#[derive(Default)]
struct Batch {
    rows: Vec<Rejection>,
    bytes: usize,
    now: Option<Timestamp>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_BATCH || self.bytes >= MAX_BATCH_BYTES
    }
}
