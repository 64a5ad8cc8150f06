//! The steps that several commands share.

use super::{CommandError, print_error, spool};
use crate::{
    config::{Config, DatabaseUrl, Env, Loaded},
    endpoint::EndpointConfig,
    public_url::PublicUrl,
    router::Router,
    store::{self, Actor, Author, Store},
    telemetry,
    time::Clock,
};

/// Loads the configuration, and logs its warnings.
pub(super) fn load_config(env: &Env) -> Result<Config, CommandError> {
    let Loaded { config, warnings } = Config::load(env).map_err(CommandError::Configuration)?;
    telemetry::start(config.log);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Opens the store after saying what the tables lack; see [`attach`].
pub(super) fn with_store<T>(config: &Config, work: impl FnOnce(&Store) -> Result<T, CommandError>) -> Result<T, CommandError> {
    if let Some(undrained) = spool::undrained(&config.queue) {
        print_error(&undrained);
    }
    attach(&config.database, config.store.clone(), work)
}

/// Opens the store, also beside a running gateway, and closes it after its queue is written.
pub(super) fn attach<T>(
    database: &DatabaseUrl,
    options: store::Options,
    work: impl FnOnce(&Store) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let store = Store::attach(database, options)?;
    let outcome = work(&store);
    store.close();
    outcome
}

/// The router that a gateway of this configuration has.
pub(super) fn router(config: &mut Config) -> Router {
    let endpoints = std::mem::take(&mut config.endpoints);
    Router::new(endpoints.into_iter().map(EndpointConfig::build).collect(), PublicUrl::from_listener(config.listen))
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    Ok(runtime.map_err(|error| CommandError::Other(error.to_string()))?.block_on(future))
}

/// Random bytes for a secret or an id.
pub(super) fn random<const N: usize>() -> Result<[u8; N], CommandError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes).map_err(|error| CommandError::Other(error.to_string()))
}

/// The author of a command's changes.
pub(super) fn author() -> Author {
    Author { actor: Actor::Cli, at: Clock::System.now() }
}
