//! The whole gateway, with a database, ports and a clock of its own. When it has stopped, its figures must add up.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;
use waybill::{
    config::{Config, Env},
    endpoint::Endpoint,
    http::{Running, Server},
    signature::Outgoing,
    time::{Clock, Timestamp},
};

use super::{
    client::{self, Response},
    database::{Backend, Database},
    metrics::Metrics,
};

pub const OPS_TOKEN: &str = "test-ops-token-0123456789";
pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// A running gateway and its database.
pub struct Gateway {
    // Dropped in this order: the server lets go of the database before it is deleted.
    running: Option<Running>,
    pub database: Database,
}

impl Gateway {
    /// Starts one with those variables and that clock.
    pub fn start(backend: Backend, now: Timestamp, variables: &[(String, String)]) -> Self {
        Self::on(Database::new(backend), now, variables)
    }

    /// Starts one on a database that is there.
    pub fn on(database: Database, now: Timestamp, variables: &[(String, String)]) -> Self {
        let running = start(&database.url(), Clock::Fixed(now), variables);
        Self { running: Some(running), database }
    }

    /// Starts one that limits forged requests as it does by default.
    pub fn limited(database: Database, now: Timestamp, variables: &[(String, String)]) -> Self {
        let running = start_limited(&database.url(), Clock::Fixed(now), variables, None);
        Self { running: Some(running), database }
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("still running")
    }

    pub fn address(&self) -> SocketAddr {
        self.running().public
    }

    pub fn endpoint(&self, path: &str) -> &Endpoint {
        self.running().gateway.endpoint(path).expect("an endpoint of that path")
    }

    /// Stops it and hands over the database.
    pub fn stop(mut self) -> Database {
        stop(self.running.take().expect("still running"));
        std::mem::replace(&mut self.database, Database::Sqlite { folder: tempfile::tempdir().expect("a temporary folder") })
    }

    pub fn send(&self, outgoing: &Outgoing) -> Response {
        client::send(self.address(), &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body)
    }

    pub fn post(&self, target: &str, headers: &[(String, String)], body: &[u8]) -> Response {
        client::send(self.address(), "POST", target, headers, body)
    }

    /// Number of rows in each table that callbacks may change. What is not genuine goes to a table of its own.
    pub fn row_counts(&self) -> String {
        let tables = [
            "webhook_requests",
            "webhook_bodies",
            "webhook_events",
            "message_external_ids",
            "inbound_messages",
            "inbound_parts",
            "calls",
            "rooms",
        ];
        let counts = tables.map(|table| format!("(SELECT count(*) FROM {table})"));
        self.database.query(&format!("SELECT concat_ws(' ', {}) AS row", counts.join(", "))).concat()
    }

    /// What it tells Prometheus.
    pub fn metrics(&self) -> Metrics {
        let response = client::get(self.running().ops, "/metrics", &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
        Metrics::parse(&String::from_utf8(response.body).expect("UTF-8"))
    }

    /// `GET` on the ops listener with the token.
    pub fn ops(&self, target: &str) -> Value {
        client::get(self.running().ops, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]).json()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            stop(running);
        }
    }
}

/// Stops it and checks that it has counted every request once.
pub fn stop(running: Running) {
    let gateway = Arc::clone(&running.gateway);
    running.stop();
    // A test that has failed already says why.
    if !std::thread::panicking() {
        Metrics::of(&gateway).assert_conserved();
    }
}

/// Starts a gateway on a database. It takes any number of forged requests: most tests send all theirs from one network.
pub fn start(database_url: &str, clock: Clock, variables: &[(String, String)]) -> Running {
    start_limited(database_url, clock, variables, Some(0))
}

/// The same with another limit of forged requests, or with the gateway's own.
pub fn start_limited(database_url: &str, clock: Clock, variables: &[(String, String)], limit: Option<usize>) -> Running {
    let mut all: Vec<(String, String)> = [
        ("DATABASE_URL", database_url),
        ("LISTEN", "127.0.0.1:0"),
        ("OPS_LISTEN", "127.0.0.1:0"),
        ("OPS_TOKEN", OPS_TOKEN),
        ("WEBHOOK_BASE_URL", PUBLIC_URL),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    all.extend(variables.iter().cloned());
    let env: Env = all.into_iter().collect();
    let mut config = Config::load(&env).unwrap_or_else(|problems| panic!("{problems}")).config;
    config.rejections_per_minute = limit.unwrap_or(config.rejections_per_minute);
    Server::start(config, clock).unwrap_or_else(|error| panic!("{error}"))
}
