//! Rejected requests: limited by network, and handed to a thread that diagnoses and stores them. Neither delays a verified callback: a
//! rejected request that does not fit into the queue is dropped.

mod recorder;
mod shares;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
};

use self::{
    recorder::{Job, QueuedRequest, Recorder},
    shares::Shares,
};
use crate::{
    callback::Callback,
    endpoint::Endpoint,
    limiter::RateLimited,
    log_throttle::LogThrottle,
    network_limiter::NetworkLimiter,
    router::{CurrentRouter, Router},
    signature::VerifyError,
    store::{DatabaseUrl, RejectedRequest, RingBuffer, STORED_BODY},
    threads,
    time::Timestamp,
};

/// Requests that may be queued for the thread, and their bytes.
const QUEUE: usize = 256;
const QUEUE_BYTES: usize = 8 << 20;

/// Longest wait for the thread at the end: the database may not answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The limit on rejected requests, and the recorder that stores them.
pub struct Rejections {
    networks: NetworkLimiter,
    over_limit: LogThrottle,
    shares: Arc<Shares>,
    room: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Rejections {
    /// Starts the recorder's thread. If that fails, or without a database, rejected requests are not stored. With a limit of 0 per network there is also none
    /// on what is examined and stored.
    pub fn start(per_minute: u64, router: CurrentRouter, database: Option<&DatabaseUrl>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let shares = Arc::new(Shares::new(&router.get(), per_minute > 0));
        let recorder = Recorder { router, ring: database.map(RingBuffer::new), shares: Arc::clone(&shares) };
        let thread = std::thread::Builder::new().name("waybill-rejected".to_owned()).spawn(move || recorder.run(queue));
        let thread = thread.inspect_err(|error| tracing::error!("cannot start rejected-request recorder: {error}")).ok();
        Self {
            networks: NetworkLimiter::new(per_minute),
            over_limit: LogThrottle::default(),
            shares,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            jobs,
            thread: Mutex::new(thread),
        }
    }

    /// Follows a reload to the endpoints of another router.
    pub fn follow(&self, router: &Router) {
        self.shares.follow(router);
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
        self.queue(endpoint.path(), RejectedRequest::new(callback, cause));
        Ok(())
    }

    /// Queues a request, if its network and its endpoint have room in this minute. It serves diagnosis, so it may be dropped.
    fn queue(&self, path: String, mut request: RejectedRequest) {
        let (client, now) = (request.callback.client, request.callback.received_at);
        let stored = request.size() - request.callback.body.len().saturating_sub(STORED_BODY);
        if !self.shares.may_store(&path, client, stored, now) {
            return;
        }
        let is_examined = self.shares.may_examine(&path, client, now);
        if !is_examined {
            request.cut_body();
        }
        let size = u32::try_from(request.size()).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(size) {
            drop(self.jobs.try_send(Job::Record(Box::new(QueuedRequest { path, request, is_examined, room }))));
        }
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

    /// Stores the queued requests and ends the thread, within seconds. Blocks.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let deadline = Instant::now() + CLOSE_TIMEOUT;
            let is_sent = || !matches!(self.jobs.try_send(Job::Stop), Err(TrySendError::Full(_)));
            threads::wait(is_sent, || Instant::now() >= deadline);
            threads::join(thread, deadline, "the recorder of rejected requests");
        }
    }
}
