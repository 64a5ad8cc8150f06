//! A reload: the running gateway takes over a changed configuration, without closing a connection. A request in progress ends with the
//! endpoint with which it began. What an endpoint has counted is kept.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    config::{Config, Finding, Problems, Reread, Source},
    endpoint::{Endpoint, EndpointConfig},
    forwarded::TrustedProxies,
    gateway::{Gateway, Tokens, labels},
    ops_token::OpsToken,
    router::Router,
    secret::Secret,
    store::Actor,
};

/// The changes that a reload made, or would make. Names only: it contains no secret.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// False after a dry run.
    pub applied: bool,
    pub endpoints: EndpointChanges,
    /// The variables of the gateway itself that have another value, and are taken over.
    pub variables: Vec<&'static str>,
    /// The variables that have another value than at the start, which only a restart takes over.
    pub needs_restart: Vec<&'static str>,
    /// The warnings about the new configuration.
    pub warnings: Vec<Finding>,
}

/// The endpoints that differ.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct EndpointChanges {
    pub added: Vec<EndpointName>,
    /// Their paths are unknown from now on.
    pub removed: Vec<EndpointName>,
    /// A setting has another value.
    pub changed: Vec<EndpointName>,
}

impl EndpointChanges {
    fn count(&self) -> usize {
        self.added.len() + self.removed.len() + self.changed.len()
    }
}

/// An endpoint, by its provider and account.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EndpointName {
    pub service_type: &'static str,
    pub account: String,
    /// Its path on the public listener.
    pub path: String,
}

impl From<&EndpointConfig> for EndpointName {
    fn from(endpoint: &EndpointConfig) -> Self {
        Self { service_type: endpoint.spec.name, account: endpoint.account.as_str().to_owned(), path: endpoint.path() }
    }
}

/// Reads the configuration again and takes it over, if it is valid; a dry run only returns the changes. One at a time.
pub async fn reload(gateway: &Arc<Gateway>, dry_run: bool, actor: Actor) -> Result<Reloaded, Problems> {
    let mut source = Arc::clone(&gateway.source).lock_owned().await;
    let shared = Arc::clone(gateway);
    let work = tokio::task::spawn_blocking(move || shared.reload(&mut source, dry_run));
    // A bug in it must not end the gateway.
    let result =
        work.await.unwrap_or_else(|_| Err(problem("the configuration", "could not be taken over; the log says why".to_owned())));
    if dry_run {
        return result;
    }
    gateway.metrics.count_reload(result.is_ok());
    match result {
        Ok(mut reloaded) => {
            log(&reloaded);
            let items = reloaded.endpoints.count() + reloaded.variables.len();
            // A secret must be replaceable while the database is unavailable. The log has the entry as well.
            if let Err(error) = gateway.store.record_reload(items, gateway.author(actor)).await {
                tracing::warn!(kind = error.kind(), "the reload has no entry in audit_log");
                let sentence = "the database is unavailable, so audit_log has no entry of this reload".to_owned();
                reloaded.warnings.push(Finding { variable: "DATABASE_URL".to_owned(), sentence });
            }
            let gateway = Arc::clone(gateway);
            // New endpoints have the time of their last request once the database answers.
            drop(tokio::task::spawn_blocking(move || gateway.restore_last_seen()));
            Ok(reloaded)
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!("not reloaded, the configuration has a problem: {problem}");
            }
            Err(problems)
        }
    }
}

fn problem(variable: &str, sentence: String) -> Problems {
    Problems(vec![Finding { variable: variable.to_owned(), sentence }])
}

fn log(reloaded: &Reloaded) {
    for warning in &reloaded.warnings {
        tracing::warn!("{warning}");
    }
    let EndpointChanges { added, removed, changed } = &reloaded.endpoints;
    let names = |endpoints: &[EndpointName]| {
        endpoints.iter().map(|one| format!("{}/{}", one.service_type, one.account)).collect::<Vec<_>>().join(" ")
    };
    tracing::info!(
        added = names(added),
        removed = names(removed),
        changed = names(changed),
        variables = reloaded.variables.join(" "),
        needs_restart = reloaded.needs_restart.join(" "),
        "reloaded the configuration"
    );
}

impl Gateway {
    fn reload(&self, source: &mut Source, dry_run: bool) -> Result<Reloaded, Problems> {
        let reread = source.read_again(self.router().iter().next().is_some())?;
        let endpoints = changes(&self.router(), &reread.config);
        if !dry_run {
            let token = OpsToken::obtain(reread.config.ops_token.clone(), &reread.config.database)
                .map_err(|error| problem("OPS_TOKEN", format!("cannot read or write the file of the token: {error}")))?;
            source.note_taken(&reread);
            let Reread { config, warnings, variables, needs_restart, .. } = reread;
            self.take_over(config, token.secret);
            return Ok(Reloaded { applied: true, endpoints, variables, needs_restart, warnings });
        }
        let Reread { warnings, variables, needs_restart, .. } = reread;
        Ok(Reloaded { applied: false, endpoints, variables, needs_restart, warnings })
    }

    /// Replaces what a reload may change.
    fn take_over(&self, config: Config, ops_token: Secret) {
        let old = self.router();
        let configured = config.endpoints.into_iter().map(|endpoint| {
            if let Some(known) = old.find(endpoint.spec.name, endpoint.account.as_str()) {
                return known.reconfigured(endpoint);
            }
            let metrics = self.metrics.endpoint(&labels(&endpoint));
            Endpoint::new(endpoint, metrics).with_guess_limit(self.guesses_per_minute)
        });
        let unknown = config.unknown_accounts.into_iter().map(|endpoint| match old.unknown_of(endpoint.spec.name) {
            Some(known) => known.reconfigured(endpoint),
            None => endpoint.build().with_guess_limit(self.guesses_per_minute),
        });
        let router = Router::new(configured.collect(), old.listener().clone()).with_unknown_accounts(unknown.collect());
        for endpoint in old.iter().filter(|endpoint| router.find(endpoint.spec.name, endpoint.account.as_str()).is_none()) {
            endpoint.metrics.forget_last_verified();
        }
        self.store.unscoped_accounts().follow(&config.store.unscoped_accounts);
        self.rejections.follow(&router);
        self.unknown_paths.replace(self.unknown_paths.get().of(&router));
        self.trusted_proxies.replace(TrustedProxies { networks: config.trusted_proxies, header: config.client_ip_header });
        self.take_over_tokens(Tokens { all: ops_token, read: config.ops_read_token });
        self.router.replace(router);
    }

    /// Replaces the tokens, if they differ: open event streams end with those that allowed them.
    fn take_over_tokens(&self, tokens: Tokens) {
        let old = self.tokens.get();
        let is_same_read = match (&old.read, &tokens.read) {
            (Some(old), Some(new)) => old.matches(new.bytes()),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !(is_same_read && old.all.matches(tokens.all.bytes())) {
            self.tokens.replace(tokens);
        }
    }
}

/// The endpoints in which a configuration differs from a router.
fn changes(router: &Router, config: &Config) -> EndpointChanges {
    let is_same = |one: &EndpointConfig, other: &EndpointConfig| one.spec.name == other.spec.name && one.account == other.account;
    let names = |endpoints: Vec<&EndpointConfig>| endpoints.into_iter().map(EndpointName::from).collect();
    let old: Vec<&EndpointConfig> = router.iter().map(|endpoint| &**endpoint).collect();
    let known = |new: &EndpointConfig| old.iter().find(|old| is_same(old, new));
    EndpointChanges {
        added: names(config.endpoints.iter().filter(|new| known(new).is_none()).collect()),
        removed: names(old.iter().filter(|old| !config.endpoints.iter().any(|new| is_same(old, new))).copied().collect()),
        changed: names(
            config.endpoints.iter().filter(|new| known(new).is_some_and(|old| old.fingerprint != new.fingerprint)).collect(),
        ),
    }
}
