//! The state that both listeners share: endpoints, store, clock and tokens.

use std::{
    net::IpAddr,
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use strum::VariantArray;
use tokio::sync::Semaphore;

use crate::{
    body_room::BodyRoom,
    config::Config,
    endpoint::{Endpoint, EndpointConfig},
    fair_semaphore::FairSemaphore,
    forwarded::ClientIpHeader,
    guesses::Guesses,
    login_link::LoginLink,
    metrics::{EndpointLabels, Metrics, TableFigures},
    providers,
    public_url::PublicUrl,
    queue::{Intake, QueueStartError, drain::Parse},
    rejections::Rejections,
    replay,
    router::{Route, Router},
    secret::{self, Secret},
    signature::{VerifyError, unverified},
    status::Status,
    store::{self, Actor, Author, EndpointActivity, Gauges, Store, StoreError},
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

/// A running gateway.
pub struct Gateway {
    router: Arc<Router>,
    unknown_paths: UnknownPaths,
    trusted_proxies: Vec<IpNet>,
    /// The header of trusted proxies that has the client's address.
    pub client_ip_header: ClientIpHeader,
    ops_token: Secret,
    ops_read_token: Option<Secret>,
    /// The path prefix under which a proxy shows the ops listener; empty, or without a slash at its end.
    pub ops_base_path: String,
    is_stopping: AtomicBool,
    /// The link that logs in to the pages once, if one was made.
    pub login_link: LoginLink,
    /// The activity of the endpoints, in their order, and the time when it was read.
    pub(crate) activity: Mutex<Option<(Instant, Vec<EndpointActivity>)>>,
    metrics: Metrics,
    pub rejections: Rejections,
    pub verifier: Verifier,
    /// The permits of callbacks that need more than the usual work.
    pub offload: Arc<FairSemaphore>,
    pub store: Arc<Store>,
    /// The way of verified callbacks into the store.
    pub intake: Intake,
    pub clock: Clock,
    /// Maximum wait of a response for its commit.
    pub timeout: Duration,
    pub body_room: BodyRoom,
    /// Event streams that may still be opened.
    pub streams: Arc<Semaphore>,
    pub queries: QueryLimits,
    /// Held while a check of health reads the database, so that any number of them uses one thread.
    pub(crate) health_turn: Semaphore,
}

impl Gateway {
    /// Endpoints without a public address of their own get `fallback`.
    pub fn new(
        config: Config,
        ops_token: Secret,
        store: Store,
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
        let router = Arc::new(Router::new(configured.collect(), fallback.clone()).with_unknown_accounts(unknown));
        let store = Arc::new(store);
        let intake = Intake::start(&config.queue, &store, parse_again(&router))?;
        Ok(Self {
            rejections: Rejections::start(config.rejections_per_minute, Arc::clone(&router), &config.database),
            verifier: Verifier::new(Guesses::new(config.guesses_per_minute, config.trusted_proxies.clone())),
            // The other half of the processors serves.
            offload: FairSemaphore::new((available_parallelism().map_or(1, NonZero::get) / 2).max(1)),
            unknown_paths: UnknownPaths::new(&router),
            router,
            trusted_proxies: config.trusted_proxies,
            client_ip_header: config.client_ip_header,
            ops_token,
            ops_read_token: config.ops_read_token,
            ops_base_path: config.ops_base_path,
            is_stopping: AtomicBool::new(false),
            login_link: LoginLink::default(),
            activity: Mutex::new(None),
            metrics,
            store,
            intake,
            clock,
            timeout: config.timeout,
            body_room: BodyRoom::new(config.connections.bodies),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            queries: QueryLimits::default(),
            health_turn: Semaphore::new(1),
        })
    }

    /// The route of a path, byte for byte. With a wrong token at its end the path is unknown.
    pub fn route(&self, path: &str) -> Option<Route<'_>> {
        self.router.route(path)
    }

    /// Counts a request to a path that has no route, and logs it.
    pub fn note_unknown_path(&self, path: &str) {
        self.metrics.count_unknown_path();
        self.unknown_paths.log(path, &self.router);
    }

    /// True if forwarded headers from that address are trusted.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// The endpoint of a path, byte for byte.
    pub fn endpoint(&self, path: &str) -> Option<&Endpoint> {
        self.router.endpoint_at(path)
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.router.iter()
    }

    /// The ops token, from which the pages' forms derive their key.
    pub(crate) fn ops_token(&self) -> &Secret {
        &self.ops_token
    }

    /// The rights of a token at the ops listener. Only a long one has any unless `compares_short`.
    pub fn rights(&self, token: &[u8], compares_short: bool) -> Option<Rights> {
        let matches = |secret: &Secret| secret.matches(token) & (compares_short || secret::is_long(secret.text()));
        // Both are compared, so that the time does not reveal which one matched.
        let may_read = self.ops_read_token.as_ref().is_some_and(matches);
        if matches(&self.ops_token) { Some(Rights::All) } else { may_read.then_some(Rights::Read) }
    }

    /// The author of a change at the operations listener.
    pub fn author(&self, actor: Actor) -> Author {
        Author { actor, at: self.clock.now() }
    }

    /// The metrics in Prometheus's text format.
    pub fn exposition(&self) -> Result<String, std::fmt::Error> {
        self.metrics.exposition(self.store.queued())
    }

    /// Restores the time of each endpoint's last verified request from the store. Blocks.
    pub fn restore_last_seen(&self) -> Result<(), StoreError> {
        for (endpoint, activity) in self.endpoints().zip(self.read_activity()?) {
            activity.last.into_iter().for_each(|at| endpoint.metrics.set_last_verified(at));
        }
        Ok(())
    }

    /// Reads the activity of the endpoints, in their order, from the store. Blocks.
    pub(crate) fn read_activity(&self) -> Result<Vec<EndpointActivity>, StoreError> {
        let names: Vec<_> = self.endpoints().map(|one| (one.spec.name, one.account.as_str().to_owned())).collect();
        self.store.endpoint_activity(&names)
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

/// The parser of queued callbacks.
fn parse_again(router: &Arc<Router>) -> Parse {
    let router = Arc::clone(router);
    Arc::new(move |stored| replay::parse(&router, stored).ok())
}

fn labels(endpoint: &EndpointConfig) -> EndpointLabels {
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
