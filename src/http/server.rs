//! Starts both listeners and stops them gracefully: every accepted request is answered.

use std::{
    convert::Infallible,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    num::NonZero,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix_web::{
    dev::ServerHandle,
    web::{self, Data, ServiceConfig},
};
use futures_util::future::{self, Either};
use tokio::sync::oneshot;

use super::{background, connection::Listener, health, ops, response, routes, webhooks};
use crate::{
    config::{Config, Connections},
    gateway::Gateway,
    ops_token,
    public_url::PublicUrl,
    queue::{QueueOptions, QueueStartError, Role},
    router::HEALTH_PATH,
    store::{PruneCounts, Store, StoreError},
    threads,
    time::Clock,
};

/// Longest delay of the start by a database that a queue can replace for a while.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);

/// Longest wait for background queries when the gateway stops.
const QUERY_PATIENCE: Duration = Duration::from_secs(2);

const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
const DERIVE_INTERVAL: Duration = Duration::from_secs(1);
const PRUNE_INTERVAL: Duration = Duration::from_hours(1);

/// Reason for which the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{variable}: cannot listen on {address}: {cause}")]
    Listen {
        /// The variable with the address.
        variable: &'static str,
        address: SocketAddr,
        cause: io::Error,
    },
    #[error("cannot read or write the ops token file: {0}")]
    OpsToken(io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueStartError),
    #[error("cannot start the server: {0}")]
    Thread(io::Error),
}

pub struct Server;

/// A running gateway.
pub struct Running {
    /// Address of the public listener.
    pub public: SocketAddr,
    /// Address of the ops listener.
    pub ops: SocketAddr,
    pub gateway: Arc<Gateway>,
    /// For `demo` and tests.
    pub ops_token: ops_token::OpsToken,
    handles: [ServerHandle; 2],
    thread: JoinHandle<io::Result<()>>,
    ended: oneshot::Receiver<()>,
}

impl Server {
    /// Opens and migrates the database, and starts both listeners. Returns once they accept connections.
    pub fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
        let token = ops_token::OpsToken::obtain(config.ops_token.clone(), &config.database).map_err(StartError::OpsToken)?;
        let store = open_store(&config)?;
        let public_listener = listen("LISTEN", config.listen)?;
        let ops_listener = listen("OPS_LISTEN", config.ops_listen)?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(StartError::Thread);
        let (public, ops) = (address(&public_listener)?, address(&ops_listener)?);
        let fallback = PublicUrl::from_listener(public);
        let limits = config.connections;
        let gateway = Arc::new(Gateway::new(config, token.secret.clone(), store, clock, &fallback)?);
        let (sender, receiver) = mpsc::channel();
        let (alive, ended) = oneshot::channel();
        let shared = Data::from(Arc::clone(&gateway));
        let thread = std::thread::Builder::new()
            .name("waybill-http".to_owned())
            .spawn(move || serve(public_listener, ops_listener, &limits, &shared, (sender, alive)))
            .map_err(StartError::Thread)?;
        let Ok(handles) = receiver.recv() else {
            let cause = thread.join().unwrap_or(Ok(())).err();
            return Err(StartError::Thread(cause.unwrap_or_else(|| io::Error::other("the server thread ended"))));
        };
        Ok(Running { public, ops, gateway, ops_token: token, handles, thread, ended })
    }
}

impl Running {
    /// Resolves when the listeners have ended, for whatever reason.
    pub async fn ended(&mut self) {
        // Nothing is ever sent; the sender is dropped.
        drop((&mut self.ended).await);
    }

    /// Stops accepting connections, answers all accepted requests and commits all queued callbacks. Blocks, for seconds if the database
    /// does not answer.
    pub fn stop(self) {
        self.gateway.announce_stop();
        for handle in &self.handles {
            // The call itself sends the command.
            drop(handle.stop(true));
        }
        // Both servers have ended, but a query that the database does not answer keeps the thread.
        drop(self.ended.blocking_recv());
        threads::join(self.thread, Instant::now() + QUERY_PATIENCE, "the thread of the listeners");
        self.gateway.rejections.close();
        self.gateway.intake.close();
        self.gateway.store.close();
    }
}

/// Opens the database, or later if a queue can take its place until then. A process of the role `gateway` never opens it.
fn open_store(config: &Config) -> Result<Arc<Store>, StoreError> {
    let (url, options) = (&config.database, config.store.clone());
    match (&config.queue, config.queue.role()) {
        (_, Role::Gateway) => Ok(Arc::new(Store::unopened(url, options))),
        (QueueOptions::None, _) => Store::open(url, options).map(Arc::new),
        (QueueOptions::Spool(_) | QueueOptions::Broker(_), _) => Store::open_or_later(url, options, OPEN_PATIENCE),
    }
}

fn listen(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|cause| StartError::Listen { variable, address, cause })
}

/// The routes of the public listener.
fn public_routes(config: &mut ServiceConfig) {
    config.configure(health_route).default_service(web::to(webhooks::handle));
}

/// The routes of a writer's public listener: callbacks belong to a gateway.
fn writer_routes(config: &mut ServiceConfig) {
    config.configure(health_route).default_service(web::to(|| ready(response::unavailable())));
}

fn health_route(config: &mut ServiceConfig) {
    config.service(
        web::resource(HEALTH_PATH)
            .route(routes::get().to(health::webhooks_health))
            .default_service(web::to(health::method_not_allowed)),
    );
}

fn serve(
    public: TcpListener,
    ops: TcpListener,
    limits: &Connections,
    gateway: &Data<Gateway>,
    (started, alive): (mpsc::Sender<[ServerHandle; 2]>, oneshot::Sender<()>),
) -> io::Result<()> {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let public = Listener {
        name: "public",
        socket: public,
        workers,
        limits: limits.public,
        is_body_tracked: false,
        routes: if gateway.role == Role::Writer { writer_routes } else { public_routes },
    };
    let ops =
        Listener { name: "operations", socket: ops, workers: 1, limits: limits.ops, is_body_tracked: true, routes: ops::routes };
    actix_web::rt::System::new().block_on(async move {
        // Dropped when the servers end, also by a panic. The runtime then waits for queries.
        let _alive = alive;
        let (public, ops) = (public.serve(gateway)?, ops.serve(gateway)?);
        if started.send([public.handle(), ops.handle()]).is_err() {
            return Ok(());
        }
        drop(started);
        let servers = future::try_join(public, ops);
        let background_tasks = async {
            if gateway.role == Role::Gateway {
                return future::pending::<Infallible>().await;
            }
            let (never, ..) = future::join4(
                sweep_periodically(gateway),
                derive_periodically(gateway),
                prune_periodically(gateway),
                background::refresh_gauges_periodically(gateway),
            )
            .await;
            never
        };
        match future::select(Box::pin(servers), Box::pin(background_tasks)).await {
            Either::Left((ended, _)) => ended.map(|_| ()),
            Either::Right((never, _)) => match never {},
        }
    })
}

/// Applies mappings that were inserted by SQL, releases incomplete long messages, and expires rejected requests.
async fn sweep_periodically(gateway: &Gateway) -> Infallible {
    let start = actix_web::rt::time::Instant::now() + SWEEP_INTERVAL;
    let mut timer = actix_web::rt::time::interval_at(start, SWEEP_INTERVAL);
    loop {
        timer.tick().await;
        gateway.rejections.maintain(gateway.clock.now());
        if let Err(error) = gateway.store.sweep(gateway.clock.now()).await {
            tracing::warn!("sweep failed: {error}");
        }
    }
}

/// Updates derived tables.
async fn derive_periodically(gateway: &Gateway) -> Infallible {
    let mut timer = actix_web::rt::time::interval(DERIVE_INTERVAL);
    loop {
        timer.tick().await;
        // The writer logs errors, and the next tick retries.
        drop(gateway.store.derive().await);
    }
}

/// Deletes expired data. The first run is soon after the start, for gateways that are restarted within every hour.
async fn prune_periodically(gateway: &Gateway) -> Infallible {
    let start = actix_web::rt::time::Instant::now() + SWEEP_INTERVAL;
    let mut timer = actix_web::rt::time::interval_at(start, PRUNE_INTERVAL);
    loop {
        timer.tick().await;
        match gateway.store.prune(gateway.clock.now(), false, drop).await {
            Ok(pruned) if pruned == PruneCounts::default() => {}
            Ok(PruneCounts { bodies, events, requests }) => tracing::info!(bodies, events, requests, "deleted expired data"),
            Err(error) => tracing::warn!("cannot delete expired data: {error}"),
        }
    }
}
