//! `waybill serve`: runs the gateway.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{CommandError, load_config};
use crate::{
    config::{Env, variables},
    gateway::Gateway,
    http::{Running, Server},
    public_url::PublicUrl,
    reload,
    store::Actor,
    time::Clock,
};

/// Longest stop after `SHUTDOWN_DELAY`. Every part of it has a shorter limit of its own; service managers kill the process 20 seconds
/// after the delay at the earliest (`packaging/`).
const STOP_TIMEOUT: Duration = Duration::from_secs(18);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// With `QUEUE_URL`: `gateway` receives callbacks, `writer` writes them to the database, `all` does both. Default: `WAYBILL_ROLE`.
    #[arg(long, value_parser = ["gateway", "writer", "all"])]
    role: Option<String>,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let mut env = env.clone();
    if let Some(role) = &arguments.role {
        env.set_in_process(variables::WAYBILL_ROLE.name, role);
    }
    let config = load_config(&env)?;
    let delay = config.shutdown_delay;
    let runtime = runtime()?;
    // From now on a signal that arrives during the start waits for its end.
    let hangup = runtime.block_on(async { Hangup::new() }).map_err(|error| failed(&error))?;
    let running = Server::start(config, Clock::System)?;
    announce(&running);
    until_signal(runtime, running, delay, Some(hangup))
}

fn announce(running: &Running) {
    tracing::info!("callbacks: http://{}, operations: http://{}", running.public, running.ops);
    let address = PublicUrl::from_listener(running.public);
    for endpoint in running.gateway.router().iter() {
        let url = endpoint.urls_to_paste(&address).join(" or ");
        tracing::info!(
            provider = endpoint.spec.name,
            account = endpoint.account.as_str(),
            "paste at {}: {url}",
            endpoint.spec.title
        );
    }
    if let Some(file) = &running.ops_token.file {
        tracing::info!("the ops token is in {}", file.display());
    }
}

/// Serves until SIGTERM or SIGINT, then stops gracefully; a second signal stops at once.
pub(super) fn serve_until_signal(running: Running, delay: Duration) -> Result<(), CommandError> {
    until_signal(runtime()?, running, delay, None)
}

fn failed(error: &io::Error) -> CommandError {
    CommandError::Other(format!("the gateway stopped: {error}"))
}

fn runtime() -> Result<Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))
}

fn until_signal(runtime: Runtime, mut running: Running, delay: Duration, hangup: Option<Hangup>) -> Result<(), CommandError> {
    let stopped = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let gateway = Arc::clone(&running.gateway);
        tokio::select! {
            () = signal_received(&mut terminate, &mut interrupt) => {}
            () = reload_at_signals(&gateway, hangup) => {}
            () = running.ended() => return Err(io::Error::other("the listeners stopped")),
        }
        drop(gateway);
        tracing::info!("stopping after all received requests are answered; a second signal stops at once");
        running.gateway.announce_stop();
        let stop = async {
            tokio::time::sleep(delay).await;
            let stopped = tokio::time::timeout(STOP_TIMEOUT, tokio::task::spawn_blocking(move || running.stop())).await;
            // A panic in it was logged already.
            if stopped.is_err() {
                tracing::warn!("the process ends before its threads: the database or the broker does not answer. No acknowledged callback is lost");
            }
        };
        tokio::select! {
            () = stop => {}
            () = signal_received(&mut terminate, &mut interrupt) => tracing::warn!("stopped at once"),
        }
        Ok(())
    });
    runtime.shutdown_background();
    stopped.map_err(|error| failed(&error))
}

/// SIGHUP: a request to reload, or the end of the terminal.
struct Hangup {
    signal: Signal,
    has_terminal: bool,
}

impl Hangup {
    fn new() -> io::Result<Self> {
        Ok(Self { signal: signal(SignalKind::hangup())?, has_terminal: io::stderr().is_terminal() })
    }
}

/// Reloads the configuration at each SIGHUP. Returns if the terminal of the gateway was closed, which stops it.
async fn reload_at_signals(gateway: &Arc<Gateway>, hangup: Option<Hangup>) {
    let Some(Hangup { mut signal, has_terminal }) = hangup else { return std::future::pending().await };
    while signal.recv().await.is_some() {
        if has_terminal && !io::stderr().is_terminal() {
            return;
        }
        // Both outcomes are logged.
        drop(reload::reload(gateway, false, Actor::Cli).await);
    }
    std::future::pending::<()>().await;
}

async fn signal_received(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
