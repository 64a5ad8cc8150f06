//! `waybill serve`.

use std::{io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::CommandError;
use crate::{
    config::Config,
    http::{Running, Server},
    public_url::PublicUrl,
    time::Clock,
};

pub(super) fn run(config: Config) -> Result<(), CommandError> {
    let delay = config.shutdown_delay;
    let running = Server::start(config, Clock::System)?;
    announce(&running);
    until_stopped(running, delay)
}

fn announce(running: &Running) {
    tracing::info!("callbacks: http://{}, operations: http://{}", running.public, running.ops);
    let address = PublicUrl::of_listener(running.public);
    for endpoint in running.gateway.endpoints() {
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

/// Serves until SIGTERM or SIGINT, then stops in order; a second signal ends at once.
pub(super) fn until_stopped(mut running: Running, delay: Duration) -> Result<(), CommandError> {
    let failed = |error: io::Error| CommandError::Other(format!("the gateway ended: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let stopped = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => {}
            () = running.ended() => return Err(io::Error::other("the listeners ended")),
        }
        tracing::info!("stopping: what was taken is answered; a second signal ends at once");
        running.gateway.announce_stop();
        let stop = async {
            tokio::time::sleep(delay).await;
            // A panic inside was logged where it happened.
            drop(tokio::task::spawn_blocking(move || running.stop()).await);
        };
        tokio::select! {
            () = stop => {}
            () = either(&mut terminate, &mut interrupt) => tracing::warn!("stopped at once"),
        }
        Ok(())
    });
    runtime.shutdown_background();
    stopped.map_err(failed)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
