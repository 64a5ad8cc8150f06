//! The state that both listeners share: endpoints, store, clock and tokens.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use strum::VariantArray;
use tokio::sync::Semaphore;

use crate::{
    body_room::BodyRoom,
    config::{Config, Source},
    current::Current,
    endpoint::{Endpoint, EndpointConfig},
    fair_semaphore::FairSemaphore,
    forwarded::TrustedProxies,
    guesses::Guesses,
    login_link::LoginLink,
    metrics::{EndpointLabels, Metrics, TableFigures},
    providers,
    public_url::PublicUrl,
    queue::{Intake, QueueKind, QueueStartError, Role, drain::Parse},
    rejections::Rejections,
    replay,
    router::{CurrentRouter, Router},
    secret::{self, Secret},
    signature::{VerifyError, unverified},
    status::Status,
    store::{self, Activities, Actor, Author, Gauges, Store, StoreError},
    time::{Clock, Timestamp},
    unknown_paths::UnknownPaths,
    verifier::Verifier,
};

/// Event streams that may be open at once: each queries the database once a second.
const MAX_STREAMS: usize = 32;

/// Queries that run at once on behalf of tokens, by class. One class cannot take the connections of another.
const MAX_LIST_QUERIES: usize = 3;
const MAX_STATISTICS_QUERIES: usize = 2;
const MAX_STREAM_QUERIES: usize = 1;

// A query that may run finds a connection.
const _: () = assert!(MAX_LIST_QUERIES + MAX_STATISTICS_QUERIES + MAX_STREAM_QUERIES <= store::MAX_QUERIES as usize);

/// Queries that may still be started, by class.
pub struct QueryLimits {
    /// Lists, and anything about one message or request.
    pub lists: Arc<Semaphore>,
    /// Statistics of a period.
    pub statistics: Arc<Semaphore>,
    /// The polls of all event streams, which take turns.
    pub streams: Arc<Semaphore>,
}

impl Default for QueryLimits {
    fn default() -> Self {
        let [lists, statistics, streams] =
            [MAX_LIST_QUERIES, MAX_STATISTICS_QUERIES, MAX_STREAM_QUERIES].map(|max| Arc::new(Semaphore::new(max)));
        Self { lists, statistics, streams }
    }
}

/// The rights of a token at the ops listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    Read,
    /// Reading and changes.
    All,
}

/// The tokens of the ops listener.
pub(crate) struct Tokens {
    pub(crate) all: Secret,
    pub(crate) read: Option<Secret>,
}

/// A running gateway.
pub struct Gateway {
    pub(crate) router: CurrentRouter,
    pub(crate) unknown_paths: Current<UnknownPaths>,
    pub(crate) trusted_proxies: Current<TrustedProxies>,
    pub(crate) tokens: Current<Tokens>,
    /// The origin of the configuration. Held while it is reloaded.
    pub(crate) source: Arc<tokio::sync::Mutex<Source>>,
    pub(crate) guesses_per_minute: u64,
    /// The path prefix under which a proxy shows the ops listener; empty, or without a slash at its end.
    pub ops_base_path: String,
    is_stopping: AtomicBool,
    /// The link that logs in to the pages once, if one was made.
    pub login_link: LoginLink,
    /// The activity of the endpoints, and the time when it was read.
    pub(crate) activities: Mutex<Option<(Instant, Arc<Activities>)>>,
    /// Held while it is read.
    pub(crate) activities_turn: Mutex<()>,
    pub(crate) metrics: Metrics,
    pub rejections: Rejections,
    pub verifier: Verifier,
    /// The permits of callbacks that need more than the usual work.
    pub offload: Arc<FairSemaphore>,
    pub store: Arc<Store>,
    /// The way of verified callbacks into the store.
    pub intake: Intake,
    pub(crate) queue_kind: Option<QueueKind>,
    /// The part of this process.
    pub role: Role,
    pub clock: Clock,
    /// Maximum wait of a response for its commit.
    pub timeout: Duration,
    pub body_room: BodyRoom,
    /// Event streams that may still be opened.
    pub streams: Arc<Semaphore>,
    pub queries: QueryLimits,
    /// Held while a check of health reads the database, so that any number of them uses one thread.
    pub(crate) health_turn: Arc<Semaphore>,
}

impl Gateway {
    /// Endpoints without a public address of their own get `fallback`.
    pub fn new(
        config: Config,
        ops_token: Secret,
        store: Arc<Store>,
        clock: Clock,
        fallback: &PublicUrl,
    ) -> Result<Self, QueueStartError> {
        let metrics = Metrics::new(store.metrics(), store.queue_capacity());
        let configured = config.endpoints.into_iter().map(|endpoint| {
            let metrics = metrics.endpoint(&labels(&endpoint));
            Endpoint::new(endpoint, metrics).with_guess_limit(config.guesses_per_minute)
        });
        let unknown =
            config.unknown_accounts.into_iter().map(|one| one.build().with_guess_limit(config.guesses_per_minute)).collect();
        let router = Router::new(configured.collect(), fallback.clone()).with_unknown_accounts(unknown);
        let unknown_paths = Current::new(UnknownPaths::new(&router));
        let router = CurrentRouter::new(router);
        let role = config.queue.role();
        let stored_in = (role != Role::Gateway).then_some(&config.database);
        let intake = Intake::start(&config.queue, &store, parse_again(&router))?;
        let trusted_proxies = Current::new(TrustedProxies { networks: config.trusted_proxies, header: config.client_ip_header });
        Ok(Self {
            rejections: Rejections::start(config.rejections_per_minute, router.clone(), stored_in),
            verifier: Verifier::new(Guesses::new(config.guesses_per_minute, trusted_proxies.clone())),
            // The other half of the processors serves.
            offload: FairSemaphore::new((available_parallelism().map_or(1, NonZero::get) / 2).max(1)),
            unknown_paths,
            router,
            trusted_proxies,
            tokens: Current::new(Tokens { all: ops_token, read: config.ops_read_token }),
            source: Arc::new(tokio::sync::Mutex::new(config.source)),
            guesses_per_minute: config.guesses_per_minute,
            ops_base_path: config.ops_base_path,
            is_stopping: AtomicBool::new(false),
            login_link: LoginLink::default(),
            activities: Mutex::new(None),
            activities_turn: Mutex::new(()),
            metrics,
            store,
            timeout: intake.limit(config.timeout),
            intake,
            queue_kind: config.queue.kind(),
            role,
            clock,
            body_room: BodyRoom::new(config.connections.bodies),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            queries: QueryLimits::default(),
            health_turn: Arc::new(Semaphore::new(1)),
        })
    }

    /// Counts a request to a path that has no route, and logs it.
    pub fn note_unknown_path(&self, path: &str, router: &Router) {
        self.metrics.count_unknown_path();
        self.unknown_paths.get().log(path, router);
    }

    pub fn trusted_proxies(&self) -> Arc<TrustedProxies> {
        self.trusted_proxies.get()
    }

    /// The endpoint of a path, byte for byte.
    pub fn endpoint(&self, path: &str) -> Option<Arc<Endpoint>> {
        self.router.get().endpoint_at(path).cloned()
    }

    /// The router as it is now.
    pub fn router(&self) -> Arc<Router> {
        self.router.get()
    }

    /// A handle that follows the router through reloads.
    pub fn current_router(&self) -> CurrentRouter {
        self.router.clone()
    }

    /// The ops token, from which the pages' forms derive their key.
    pub(crate) fn ops_token(&self) -> Secret {
        self.tokens.get().all.clone()
    }

    /// The rights of a token at the ops listener. Only a long one has any unless `compares_short`.
    pub fn rights(&self, token: &[u8], compares_short: bool) -> Option<Rights> {
        let matches = |secret: &Secret| secret.matches(token) & (compares_short || secret::is_long(secret.text()));
        // Both are compared, so that the time does not reveal which one matched.
        let tokens = self.tokens.get();
        let may_read = tokens.read.as_ref().is_some_and(matches);
        if matches(&tokens.all) { Some(Rights::All) } else { may_read.then_some(Rights::Read) }
    }

    /// The author of a change at the operations listener.
    pub fn author(&self, actor: Actor) -> Author {
        Author { actor, at: self.clock.now() }
    }

    /// The metrics in Prometheus's text format.
    pub fn exposition(&self) -> Result<String, std::fmt::Error> {
        self.metrics.exposition(self.store.queued(), self.queue_figures())
    }

    /// Restores the time of each endpoint's last verified request from the store. Blocks.
    pub fn restore_last_seen(&self) -> Result<(), StoreError> {
        let activities = self.store.activities()?;
        for endpoint in self.router().iter() {
            let last = activities.of(endpoint.spec.name, endpoint.account.as_str()).last;
            if let Some(at) = last {
                endpoint.metrics.set_last_verified(at);
            }
        }
        Ok(())
    }

    /// Updates the gauges of the tables. Blocks.
    pub fn refresh_gauges(&self) -> Result<(), StoreError> {
        // The process does not end before a query that it started.
        if let Some(gauges) = self.store.gauges(|| self.is_stopping())? {
            self.metrics.set_state(&table_figures(&gauges, self.clock.now()));
        }
        Ok(())
    }

    /// Makes the readiness check fail, so that load balancers stop sending.
    pub fn announce_stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }
}

/// The parser of queued callbacks, which follows reloads.
fn parse_again(router: &CurrentRouter) -> Parse {
    let router = router.clone();
    Arc::new(move |stored| replay::parse(&router.get(), stored).ok())
}

pub(crate) fn labels(endpoint: &EndpointConfig) -> EndpointLabels {
    let schemes = endpoint.spec.schemes.iter().copied().chain([&unverified::SCHEME]);
    EndpointLabels {
        provider: endpoint.spec.name,
        account: endpoint.account.as_str().to_owned(),
        schemes: schemes.map(|scheme| scheme.name).collect(),
        causes: VerifyError::VARIANTS.iter().map(<&str>::from).collect(),
    }
}

fn table_figures(gauges: &Gauges, now: Timestamp) -> TableFigures {
    // Rows that were written with plain SQL may hold any name; those are left out.
    let statuses = |provider| Status::VARIANTS.iter().map(move |status| (provider, <&str>::from(status)));
    let count =
        |(provider, status): (&str, &str)| gauges.messages.get(&(provider.to_owned(), status.to_owned())).copied().unwrap_or(0);
    TableFigures {
        messages: providers::ALL.iter().flat_map(|spec| statuses(spec.name)).map(|labels| (labels, count(labels))).collect(),
        unmatched: gauges.unmatched,
        oldest_unmatched_seconds: gauges.oldest_unmatched.map_or(0, |oldest| now.seconds() - oldest.seconds()).max(0),
        quarantined: gauges.quarantined,
        read_at: now,
    }
}
