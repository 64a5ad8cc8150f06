//! Rejected requests: counted by network, and handed to a thread that diagnoses and stores them. Neither delays a verified
//! callback: a rejected request that does not fit into the queue is dropped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::mpsc;

use crate::{
    callback::Callback,
    doctor,
    endpoint::Endpoint,
    limiter::{Limiter, Limits, RateLimited},
    log_throttle::LogThrottle,
    network_limiter::NetworkLimiter,
    router::Router,
    signature::VerifyError,
    store::{DatabaseUrl, Rejection, RingBuffer},
    time::Timestamp,
};

/// Requests that may be queued for the thread.
const QUEUE: usize = 64;

/// Rows in one transaction, and their approximate size.
const MAX_BATCH: usize = 16;
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Requests that the doctor examines in any minute. The others are stored without a finding.
const EXAMINED: Limits = Limits { per_minute: 60, concurrent: 0 };

/// A job for the thread.
enum Job {
    Record(Box<RejectedRequest>),
    /// Deletes expired rows.
    Trim(Timestamp),
    /// Drop the sender once everything before it is stored.
    Settle(std::sync::mpsc::Sender<()>),
    Stop,
}

struct RejectedRequest {
    /// The path of its endpoint.
    path: String,
    callback: Callback,
    cause: VerifyError,
}

/// The limit on rejected requests, and the recorder that stores them.
pub struct Rejections {
    networks: NetworkLimiter,
    over_limit: LogThrottle,
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Rejections {
    /// Starts the recorder's thread. If that fails, rejected requests are not stored.
    pub fn start(per_minute: u64, router: Arc<Router>, database: &DatabaseUrl) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let recorder = Recorder { router, ring: RingBuffer::new(database), examined: Limiter::new(EXAMINED) };
        let thread = std::thread::Builder::new().name("waybill-rejected".to_owned()).spawn(move || recorder.run(queue));
        let thread = thread.inspect_err(|error| tracing::error!("cannot start rejected-request recorder: {error}")).ok();
        let (networks, over_limit) = (NetworkLimiter::new(per_minute), LogThrottle::default());
        Self { networks, over_limit, jobs, thread: Mutex::new(thread) }
    }

    /// Counts a rejected request and queues it for the recorder, unless its network is over the limit. Never waits. Requests that are
    /// part of a provider's protocol are not counted.
    pub fn record(&self, endpoint: &Endpoint, callback: Callback, cause: VerifyError) -> Result<(), RateLimited> {
        if !cause.is_failure() {
            return Ok(());
        }
        if let Err(limited) = self.networks.charge(callback.client, 1, callback.received_at) {
            if let Some(requests) = self.over_limit.count() {
                tracing::warn!(
                    requests,
                    "answered 429: a network is over the limit for rejected requests; logged at most once a minute"
                );
            }
            return Err(limited);
        }
        // If the queue is full it is dropped: it serves diagnosis, and the next one will do as well.
        drop(self.jobs.try_send(Job::Record(Box::new(RejectedRequest { path: endpoint.path(), callback, cause }))));
        Ok(())
    }

    /// Periodic work: deletes expired rows.
    pub fn maintain(&self, now: Timestamp) {
        drop(self.jobs.try_send(Job::Trim(now)));
    }

    /// Waits until the requests rejected so far are examined and stored. Blocks.
    pub fn settle(&self) {
        let (sender, settled) = std::sync::mpsc::channel();
        if self.jobs.blocking_send(Job::Settle(sender)).is_ok() {
            // Ends when the thread drops its side; nothing is ever sent.
            for () in settled {}
        }
    }

    /// Stores the queued requests and ends the thread. Blocks.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.jobs.blocking_send(Job::Stop).is_ok()
            && thread.join().is_err()
        {
            tracing::error!("rejected-request recorder panicked");
        }
    }
}

/// Diagnoses and stores rejected requests, on a thread of its own.
struct Recorder {
    router: Arc<Router>,
    ring: RingBuffer,
    examined: Limiter,
}

impl Recorder {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Batch::default();
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Record(rejected) => {
                    batch.bytes += rejected.callback.body.len();
                    batch.now = Some(rejected.callback.received_at);
                    // The thread must survive a bug in the doctor.
                    batch.rows.extend(catch_unwind(AssertUnwindSafe(|| self.examine(&rejected))).ok().flatten());
                    if jobs.is_empty() || batch.is_full() {
                        self.store(&mut batch);
                    }
                }
                Job::Trim(now) => {
                    batch.now = Some(now);
                    self.store(&mut batch);
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

    fn examine(&self, rejected: &RejectedRequest) -> Option<Rejection> {
        let RejectedRequest { path, callback, cause } = rejected;
        let endpoint = self.router.endpoint_at(path)?;
        let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
        let finding =
            self.examined.admit(callback.received_at).ok().map(|_| doctor::examine(&self.router, endpoint, callback, *cause));
        if let Some(finding) = finding.as_ref().filter(|finding| finding.is_near_miss) {
            tracing::warn!(provider, account, "a near miss: {}", finding.sentence);
        }
        Some(Rejection::new(endpoint, callback, *cause, finding.map(|finding| finding.sentence)))
    }

    fn store(&mut self, batch: &mut Batch) {
        let Batch { rows, now: Some(now), .. } = std::mem::take(batch) else { return };
        if self.ring.insert(&rows, now).is_err() {
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
