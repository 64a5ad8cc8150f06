//! The broker: a stream of NATS `JetStream` between gateways and writers.
//!
//! A gateway publishes each request and acknowledges it once the broker has. Writers read the stream through one durable consumer, and
//! acknowledge a message after COMMIT. A message can be delivered again at any time, which changes nothing.

mod connect;
mod dead;
mod inspect;
mod message;
mod options;
mod publish;
mod stream;
mod watch;
mod writer;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::{runtime::Runtime, sync::watch as signal};

pub use self::{
    inspect::{Inspection, inspect},
    options::{BrokerOptions, EXPECTED_SERVERS, Login, Role, Servers, StreamOptions, TlsFiles, is_stream_name},
};
use self::{publish::Publisher, watch::Seen, writer::Writer};
use super::{Queue, QueueError, QueueState, Queued, QueuedRequest, drain::Drain};
use crate::{metrics::QueueMetrics, threads};

/// Longest wait for the threads at the end. What a writer has not acknowledged is delivered again.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// The log of the client, which repeats what [`connect`] logs and names addresses.
pub const CLIENT_LOG: &str = "async_nats";

/// A connection to the broker, and the writer of this process if it has that role.
pub struct Broker {
    publisher: Arc<Publisher>,
    seen: Arc<Seen>,
    metrics: QueueMetrics,
    stop: signal::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Broker {
    /// Connects in the background, so that the process also starts without the broker.
    pub fn start(options: &BrokerOptions, drain: Drain) -> io::Result<Self> {
        let (stop, stopped) = signal::channel(false);
        let (seen, metrics) = (Arc::new(Seen::default()), drain.metrics().clone());
        let (publisher, watcher) = start_watcher(options, &seen, stopped.clone())?;
        let mut threads = vec![watcher];
        if options.role != Role::Gateway {
            threads.push(start_writer(options, drain, stopped)?);
        }
        Ok(Self { publisher, seen, metrics, stop, threads: Mutex::new(threads) })
    }
}

impl Queue for Broker {
    fn append(&self, request: QueuedRequest) -> BoxFuture<'_, Result<Queued, QueueError>> {
        Box::pin(async move {
            let queued = self.publisher.publish(request).await?;
            // The stream does not store a copy.
            if !queued.is_copy() {
                self.metrics.count_queued(1);
            }
            Ok(queued)
        })
    }

    fn state(&self) -> QueueState {
        self.seen.state()
    }

    fn close(&self) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            threads::join(thread, deadline, "a thread of the broker");
        }
    }
}

/// Starts the thread that has the connection for publishing and reads the stream's state.
fn start_watcher(
    options: &BrokerOptions,
    seen: &Arc<Seen>,
    stopped: signal::Receiver<bool>,
) -> io::Result<(Arc<Publisher>, JoinHandle<()>)> {
    let (options, seen, runtime) = (options.clone(), Arc::clone(seen), runtime()?);
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("waybill-queue".to_owned()).spawn(move || {
        runtime.block_on(async {
            let publisher = match connect::start(&options).await {
                Ok(client) => Arc::new(Publisher::new(client, &options.stream)),
                Err(error) => return drop(sender.send(Err(error))),
            };
            if sender.send(Ok(Arc::clone(&publisher))).is_ok() {
                watch::run(publisher.context(), &options.stream, &seen, stopped).await;
            }
        });
    })?;
    let publisher = receiver.recv().unwrap_or_else(|_| Err(io::Error::other("the thread of the broker ended")))?;
    Ok((publisher, thread))
}

/// Starts the thread that writes to the database, with a connection of its own: a batch delays no confirmation.
fn start_writer(options: &BrokerOptions, drain: Drain, stopped: signal::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let (options, runtime) = (options.clone(), runtime()?);
    std::thread::Builder::new().name("waybill-drain".to_owned()).spawn(move || {
        runtime.block_on(async {
            match connect::start(&options).await {
                Ok(client) => Writer::new(options, client, drain, stopped).run().await,
                Err(error) => tracing::error!("the writer cannot start: {error}"),
            }
        });
    })
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
