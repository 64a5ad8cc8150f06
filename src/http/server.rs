//! Starts both listeners, and stops them so that everything taken is answered.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    num::NonZero,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    web::{self, Data},
};
use futures_util::future::{self, Either};
use tokio::sync::oneshot;

use super::{HEALTH_PATH, health, inbound, ops, stock};
use crate::{
    config::Config,
    gateway::Gateway,
    ops_token,
    public_url::PublicUrl,
    store::{Pruned, Store, StoreError},
    time::Clock,
};

/// ARCHITECTURE.md, "Limits".
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const SHUTDOWN_SECONDS: u64 = 10;
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
const PRUNE_INTERVAL: Duration = Duration::from_hours(1);
const MAX_CONNECTIONS: usize = 8_192;
const MAX_OPS_CONNECTIONS: usize = 256;

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error("{variable}: cannot listen on {address}: {cause}")]
    Listen {
        /// The variable that says where.
        variable: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The ops token's file cannot be read or written.
    #[error("cannot read or write the file of the ops token: {0}")]
    OpsToken(io::Error),
    /// The database does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server's thread does not start.
    #[error("the server does not start: {0}")]
    Thread(io::Error),
}

/// Starts gateways.
pub struct Server;

/// A gateway that serves.
pub struct Running {
    /// Address of the public listener.
    pub public: SocketAddr,
    /// Address of the ops listener.
    pub ops: SocketAddr,
    /// What it serves.
    pub gateway: Arc<Gateway>,
    /// The ops token, for `demo` and for who starts the gateway as a library.
    pub ops_token: ops_token::OpsToken,
    handles: [ServerHandle; 2],
    thread: JoinHandle<io::Result<()>>,
    ended: oneshot::Receiver<()>,
}

impl Server {
    /// Opens the database, migrates it, and listens. Returns when both listeners take connections.
    pub fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
        let token = ops_token::OpsToken::obtain(config.ops_token.clone(), &config.database).map_err(StartError::OpsToken)?;
        let store = Store::open(&config.database, config.store)?;
        let public_listener = listen("LISTEN", config.listen)?;
        let ops_listener = listen("OPS_LISTEN", config.ops_listen)?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(StartError::Thread);
        let (public, ops) = (address(&public_listener)?, address(&ops_listener)?);
        let fallback = PublicUrl::of_listener(public);
        let gateway = Arc::new(Gateway::new(config, token.secret.clone(), store, clock, &fallback));
        let (sender, receiver) = mpsc::channel();
        let (alive, ended) = oneshot::channel();
        let shared = Data::from(Arc::clone(&gateway));
        let thread = std::thread::Builder::new()
            .name("waybill-http".to_owned())
            .spawn(move || {
                // Dropped when the thread ends, however it ends.
                let _alive: oneshot::Sender<()> = alive;
                serve(public_listener, ops_listener, &shared, sender)
            })
            .map_err(StartError::Thread)?;
        let Ok(handles) = receiver.recv() else {
            let cause = thread.join().unwrap_or(Ok(())).err();
            return Err(StartError::Thread(cause.unwrap_or_else(|| io::Error::other("its thread ended"))));
        };
        Ok(Running { public, ops, gateway, ops_token: token, handles, thread, ended })
    }
}

impl Running {
    /// Resolves when the listeners have ended, whether they were told to or not.
    pub async fn ended(&mut self) {
        // Nothing is ever sent; the sender goes with the thread.
        drop((&mut self.ended).await);
    }

    /// Stops accepting, answers every request that was taken, commits what is queued, and ends. Blocks.
    pub fn stop(self) {
        self.gateway.announce_stop();
        for handle in &self.handles {
            // The command is sent by the call; the thread ends when both servers have.
            drop(handle.stop(true));
        }
        if self.thread.join().is_err() {
            tracing::error!("the server ended by a panic");
        }
        self.gateway.rejections.close();
        self.gateway.store.close();
    }
}

fn listen(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|cause| StartError::Listen { variable, address, cause })
}

fn serve(
    public: TcpListener,
    ops: TcpListener,
    gateway: &Data<Gateway>,
    started: mpsc::Sender<[ServerHandle; 2]>,
) -> io::Result<()> {
    // actix counts connections per worker.
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    actix_web::rt::System::new().block_on(async {
        let shared = gateway.clone();
        let public = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .service(
                    web::resource(HEALTH_PATH)
                        .route(web::get().to(health::document))
                        .route(web::head().to(health::document))
                        .default_service(web::to(health::not_allowed)),
                )
                .default_service(web::to(inbound::handle))
        })
        .workers(workers)
        .client_request_timeout(HEADER_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(MAX_CONNECTIONS / workers)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(public)?
        .run();
        let shared = gateway.clone();
        let ops = HttpServer::new(move || App::new().app_data(shared.clone()).configure(ops::routes))
            .workers(1)
            .max_connections(MAX_OPS_CONNECTIONS)
            .client_request_timeout(HEADER_TIMEOUT)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals()
            .listen(ops)?
            .run();
        if started.send([public.handle(), ops.handle()]).is_err() {
            return Ok(());
        }
        drop(started);
        let servers = future::try_join(public, ops);
        let care = future::join3(sweep_now_and_then(gateway), prune_now_and_then(gateway), stock::take_now_and_then(gateway));
        match future::select(Box::pin(servers), Box::pin(care)).await {
            Either::Left((ended, _)) => ended.map(|_| ()),
            Either::Right(((never, _, _), _)) => match never {},
        }
    })
}

/// Looks after what waits: mappings of plain SQL, parts of long messages.
async fn sweep_now_and_then(gateway: &Gateway) -> Infallible {
    let start = actix_web::rt::time::Instant::now() + SWEEP_INTERVAL;
    let mut timer = actix_web::rt::time::interval_at(start, SWEEP_INTERVAL);
    loop {
        timer.tick().await;
        gateway.rejections.tidy(gateway.clock.now());
        if let Err(error) = gateway.store.sweep(gateway.clock.now()).await {
            tracing::warn!("the sweep did not finish: {error}");
        }
    }
}

/// Deletes what has expired. Soon after the start as well: a gateway may never run for an hour.
async fn prune_now_and_then(gateway: &Gateway) -> Infallible {
    let start = actix_web::rt::time::Instant::now() + SWEEP_INTERVAL;
    let mut timer = actix_web::rt::time::interval_at(start, PRUNE_INTERVAL);
    loop {
        timer.tick().await;
        match gateway.store.prune(gateway.clock.now(), false, drop).await {
            Ok(pruned) if pruned == Pruned::default() => {}
            Ok(Pruned { bodies, events, requests }) => tracing::info!(bodies, events, requests, "deleted what has expired"),
            Err(error) => tracing::warn!("what has expired was not deleted: {error}"),
        }
    }
}
