//! What becomes of a request that is not genuine: counted against its network, and handed to a thread that finds out why and
//! keeps it for a while. Neither holds up a callback: what does not fit is dropped.

mod networks;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::mpsc;

use self::networks::Networks;
use crate::{
    callback::Callback,
    config::DatabaseUrl,
    doctor,
    endpoint::Endpoint,
    endpoints::Endpoints,
    limiter::{Limited, Limiter, Limits},
    signature::Rejected,
    store::{Rejection, Ring},
    time::Timestamp,
};

/// Requests that may wait for the thread; their bodies are the most that they hold.
const QUEUE: usize = 64;

/// Rows in one transaction, and about how many bytes.
const MAX_BATCH: usize = 16;
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Requests that the doctor looks at in any minute. The others are kept without a finding.
const EXAMINED: Limits = Limits { per_minute: 60, concurrent: 0 };

/// What the thread is asked to do.
enum Job {
    Keep(Box<Refused>),
    /// Let go of what is too old.
    Trim(Timestamp),
    Stop,
}

/// A request that was refused.
struct Refused {
    /// The path of its endpoint.
    path: String,
    callback: Callback,
    cause: Rejected,
}

/// The way for requests that are not genuine.
pub struct Rejections {
    networks: Networks,
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Rejections {
    /// Starts the thread. Without one nothing is kept, and everything else goes on.
    pub fn start(per_minute: usize, endpoints: Arc<Endpoints>, database: &DatabaseUrl) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let keeper = Keeper { endpoints, ring: Ring::new(database), examined: Limiter::new(EXAMINED) };
        let thread = std::thread::Builder::new().name("waybill-rejected".to_owned()).spawn(move || keeper.run(queue));
        let thread = thread.inspect_err(|error| tracing::error!("what is refused is not kept: {error}")).ok();
        Self { networks: Networks::new(per_minute), jobs, thread: Mutex::new(thread) }
    }

    /// Takes a request that is not genuine, unless its network has sent too many. Never waits. A probe is nobody's failure.
    pub fn take(&self, endpoint: &Endpoint, callback: Callback, cause: Rejected) -> Result<(), Limited> {
        if cause == Rejected::Probe {
            return Ok(());
        }
        self.networks.count(callback.client, callback.received_at)?;
        // A full queue drops it: it is for diagnosis, and the next one will do as well.
        drop(self.jobs.try_send(Job::Keep(Box::new(Refused { path: endpoint.path(), callback, cause }))));
        Ok(())
    }

    /// What is to be done now and then: tells how many were refused without a word, and lets go of what is too old.
    pub fn tidy(&self, now: Timestamp) {
        if let Some((requests, networks)) = self.networks.turned_away(now) {
            tracing::warn!(
                requests,
                networks,
                "turned away with 429: more requests that are not genuine than a network may send"
            );
        }
        drop(self.jobs.try_send(Job::Trim(now)));
    }

    /// Keeps what is queued and ends the thread. Blocks.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.jobs.blocking_send(Job::Stop).is_ok()
            && thread.join().is_err()
        {
            tracing::error!("the thread of what is refused ended by a panic");
        }
    }
}

/// The thread's state.
struct Keeper {
    endpoints: Arc<Endpoints>,
    ring: Ring,
    examined: Limiter,
}

impl Keeper {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Batch::default();
        while let Some(job) = jobs.blocking_recv() {
            match job {
                Job::Keep(refused) => {
                    batch.bytes += refused.callback.body.len();
                    batch.now = Some(refused.callback.received_at);
                    // A panic is a bug of ours; the thread must outlive it.
                    batch.rows.extend(catch_unwind(AssertUnwindSafe(|| self.examine(&refused))).ok().flatten());
                    if jobs.is_empty() || batch.is_full() {
                        self.keep(&mut batch);
                    }
                }
                Job::Trim(now) => {
                    batch.now = Some(now);
                    self.keep(&mut batch);
                }
                Job::Stop => break,
            }
        }
        self.keep(&mut batch);
    }

    fn examine(&self, refused: &Refused) -> Option<Rejection> {
        let Refused { path, callback, cause } = refused;
        let endpoint = self.endpoints.at(path)?;
        let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
        let finding =
            self.examined.admit(callback.received_at).ok().map(|_| doctor::examine(&self.endpoints, endpoint, callback, *cause));
        if let Some(finding) = finding.as_ref().filter(|finding| finding.is_near_miss) {
            tracing::warn!(provider, account, "a near miss: {}", finding.sentence);
        }
        Some(Rejection::new(endpoint, callback, *cause, finding.map(|finding| finding.sentence)))
    }

    fn keep(&mut self, batch: &mut Batch) {
        let Batch { rows, now: Some(now), .. } = std::mem::take(batch) else { return };
        if self.ring.keep(&rows, now).is_err() {
            tracing::debug!(rows = rows.len(), "the database is busy or away: refused requests are not kept");
        }
    }
}

/// Rows that wait for those behind them.
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
