//! `waybill serve`: runs the gateway.

use std::{io, time::Duration};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CommandError, load_config};
use crate::{
    config::{Env, variables},
    http::{Running, Server},
    public_url::PublicUrl,
    time::Clock,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// With `QUEUE_URL`: `gateway` receives callbacks, `writer` writes them to the database, `all` does both. Default: `WAYBILL_ROLE`.
    #[arg(long, value_parser = ["gateway", "writer", "all"])]
    role: Option<String>,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let mut env = env.clone();
    if let Some(role) = &arguments.role {
        env.set(variables::WAYBILL_ROLE.name, role.clone());
    }
    let config = load_config(&env)?;
    let delay = config.shutdown_delay;
    let running = Server::start(config, Clock::System)?;
    announce(&running);
    serve_until_signal(running, delay)
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
pub(super) fn serve_until_signal(mut running: Running, delay: Duration) -> Result<(), CommandError> {
    let failed = |error: io::Error| CommandError::Other(format!("the gateway stopped: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let stopped = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            () = signal_received(&mut terminate, &mut interrupt) => {}
            () = running.ended() => return Err(io::Error::other("the listeners stopped")),
        }
        tracing::info!("stopping after all received requests are answered; a second signal stops at once");
        running.gateway.announce_stop();
        let stop = async {
            tokio::time::sleep(delay).await;
            // A panic in it was logged already.
            drop(tokio::task::spawn_blocking(move || running.stop()).await);
        };
        tokio::select! {
            () = stop => {}
            () = signal_received(&mut terminate, &mut interrupt) => tracing::warn!("stopped at once"),
        }
        Ok(())
    });
    runtime.shutdown_background();
    stopped.map_err(failed)
}

async fn signal_received(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
