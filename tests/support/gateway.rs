//! A complete gateway with a private database, free ports and a manual clock. When it stops, its metrics must be conserved.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock},
};

use serde_json::Value;
use waybill::{
    config::{Config, Env},
    current::Current,
    endpoint::Endpoint,
    forwarded::TrustedProxies,
    guesses::Guesses,
    http::{Running, Server},
    router::Router,
    signature::Outgoing,
    time::{Clock, ManualClock, Timestamp},
    verifier::Verifier,
};

use super::{
    client::{self, Response},
    database::{Backend, Database},
    metrics::Metrics,
};

pub const OPS_TOKEN: &str = "test-ops-token-0123456789";
pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// The tables that callbacks may change, except the one of rejected requests.
pub const TABLES: [&str; 8] = [
    "webhook_requests",
    "webhook_bodies",
    "webhook_events",
    "message_external_ids",
    "inbound_messages",
    "inbound_parts",
    "calls",
    "rooms",
];

/// A verifier without a limit of guesses, for tests of the store.
pub fn verifier() -> &'static Verifier {
    static VERIFIER: LazyLock<Verifier> =
        LazyLock::new(|| Verifier::new(Guesses::new(0, Current::new(TrustedProxies::default()))));
    &VERIFIER
}

/// A running gateway and its database.
pub struct Gateway {
    // Dropped in this order: the server closes the database before it is deleted.
    running: Option<Running>,
    /// The router with which it started.
    router: Arc<Router>,
    pub database: Database,
}

impl Gateway {
    /// Starts a gateway on a new database.
    pub fn start(backend: Backend, now: Timestamp, variables: &[(String, String)]) -> Self {
        Self::start_on(Database::new(backend), now, variables)
    }

    /// Starts a gateway on an existing database.
    pub fn start_on(database: Database, now: Timestamp, variables: &[(String, String)]) -> Self {
        let running = start(&database.url(), Clock::Manual(ManualClock::new(now)), variables);
        Self::of(running, database)
    }

    /// Starts a gateway with the default limit of rejected requests.
    pub fn limited(database: Database, now: Timestamp, variables: &[(String, String)]) -> Self {
        let running = start_limited(&database.url(), Clock::Manual(ManualClock::new(now)), variables, None);
        Self::of(running, database)
    }

    /// Starts a gateway that rejects any number of requests, but examines only as many as with the default limit.
    pub fn rejecting(database: Database, now: Timestamp, variables: &[(String, String)]) -> Self {
        let running = start_changed(&database.url(), Clock::Manual(ManualClock::new(now)), variables, |config| {
            (config.rejections_per_minute, config.guesses_per_minute) = (u64::MAX, 0);
        });
        Self::of(running, database)
    }

    /// Starts a gateway on a new database with a changed configuration.
    pub fn configured(now: Timestamp, variables: &[(String, String)], change: impl FnOnce(&mut Config)) -> Self {
        let database = Database::new(Backend::Sqlite);
        let running = start_changed(&database.url(), Clock::Manual(ManualClock::new(now)), variables, change);
        Self::of(running, database)
    }

    /// Starts a gateway with the configuration of a file, without limits of rejected requests and guesses.
    pub fn from_file(database: Database, now: Timestamp, file: &Path) -> Self {
        let env = Env::read(file, addresses(&database.url())).expect("a file");
        let running = start_env(&env, Clock::Manual(ManualClock::new(now)), |config| {
            (config.rejections_per_minute, config.guesses_per_minute) = (0, 0);
        });
        Self::of(running, database)
    }

    fn of(running: Running, database: Database) -> Self {
        Self { router: running.gateway.router(), running: Some(running), database }
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("still running")
    }

    pub fn address(&self) -> SocketAddr {
        self.running().public
    }

    pub fn endpoint(&self, path: &str) -> &Endpoint {
        self.router.endpoint_at(path).expect("an endpoint of that path")
    }

    pub fn set_clock(&self, now: Timestamp) {
        let Clock::Manual(clock) = &self.running().gateway.clock else { panic!("it uses the system clock") };
        clock.set(now);
    }

    /// Asserts that every request is counted once.
    pub fn assert_conserved(&self) {
        Metrics::read(&self.running().gateway).assert_conserved();
    }

    /// Stops the gateway and returns its database.
    pub fn stop(mut self) -> Database {
        stop(self.running.take().expect("still running"));
        std::mem::replace(&mut self.database, Database::placeholder())
    }

    pub fn send(&self, outgoing: &Outgoing) -> Response {
        client::send(self.address(), &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body)
    }

    pub fn post(&self, target: &str, headers: &[(String, String)], body: &[u8]) -> Response {
        client::send(self.address(), "POST", target, headers, body)
    }

    /// Number of rows in each table that callbacks may change.
    pub fn row_counts(&self) -> String {
        let counts = TABLES.map(|table| format!("(SELECT count(*) FROM {table})"));
        self.database.query(&format!("SELECT concat_ws(' ', {}) AS row", counts.join(", "))).concat()
    }

    pub fn metrics(&self) -> Metrics {
        let response = client::get(self.running().ops, "/metrics", &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
        Metrics::parse(&String::from_utf8(response.body).expect("UTF-8"))
    }

    /// The JSON response to an authorized `GET` on the operations listener.
    pub fn ops(&self, target: &str) -> Value {
        client::get(self.running().ops, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]).json()
    }

    /// The text of an authorized `GET` of a page.
    pub fn ops_page(&self, target: &str) -> String {
        let password = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!(":{OPS_TOKEN}"));
        let response = client::get(self.running().ops, target, &[("Authorization", &format!("Basic {password}"))]);
        String::from_utf8(response.body).expect("UTF-8")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            stop(running);
        }
    }
}

/// Stops a gateway and asserts that every request is counted once.
pub fn stop(running: Running) {
    let gateway = Arc::clone(&running.gateway);
    running.stop();
    // A second panic would hide the failure of the test.
    if !std::thread::panicking() {
        Metrics::read(&gateway).assert_conserved();
    }
}

/// Starts a gateway without a limit of rejected requests, because tests send all of theirs from one network.
pub fn start(database_url: &str, clock: Clock, variables: &[(String, String)]) -> Running {
    start_limited(database_url, clock, variables, Some(0))
}

/// Starts a gateway with the given limit of rejected requests, or with the default one.
pub fn start_limited(database_url: &str, clock: Clock, variables: &[(String, String)], limit: Option<u64>) -> Running {
    start_changed(database_url, clock, variables, |config| {
        if limit == Some(0) {
            config.guesses_per_minute = 0;
        }
        config.rejections_per_minute = limit.unwrap_or(config.rejections_per_minute);
    })
}

fn start_changed(database_url: &str, clock: Clock, variables: &[(String, String)], change: impl FnOnce(&mut Config)) -> Running {
    let own =
        [("OPS_TOKEN", OPS_TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let all = addresses(database_url).into_iter().chain(own).chain(variables.iter().cloned());
    start_env(&all.collect(), clock, change)
}

/// The database and free ports.
fn addresses(database_url: &str) -> Vec<(String, String)> {
    let addresses = [("DATABASE_URL", database_url), ("LISTEN", "127.0.0.1:0"), ("OPS_LISTEN", "127.0.0.1:0")];
    addresses.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn start_env(env: &Env, clock: Clock, change: impl FnOnce(&mut Config)) -> Running {
    super::timing::start();
    let mut config = Config::load(env).unwrap_or_else(|problems| panic!("{problems}")).config;
    change(&mut config);
    Server::start(config, clock).unwrap_or_else(|error| panic!("{error}"))
}
