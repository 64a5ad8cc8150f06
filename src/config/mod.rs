//! Configuration: from the environment and `.env`, once, at the start, with every problem named at once.
//!
//! Loading opens no socket and writes nothing; the only files it reads are those that a provider's setting names.

mod database;
mod endpoints;
mod env;
mod later;
mod reader;
pub mod settings;
pub mod variables;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

pub use database::DatabaseUrl;
pub use env::{Env, UnreadableEnv};
use ipnet::IpNet;
use reader::Reader;

use crate::{endpoint::Endpoint, public_url::PublicUrl, secret::Secret, signature::unverified::Permission, store};

/// SignalWire hangs up after 5 seconds; an answer must be there before.
const MAX_TIMEOUT: u64 = 4;

/// More than this many requests a minute from one network that are not genuine are no sender's misconfiguration.
const REJECTIONS_PER_MINUTE: usize = 60;

/// What the gateway was told.
#[derive(Debug)]
pub struct Config {
    /// Where everything is kept.
    pub database: DatabaseUrl,
    /// Address of the public listener.
    pub listen: SocketAddr,
    /// Address of the listener for operations.
    pub ops_listen: SocketAddr,
    /// The token of the ops listener; unset = one is generated into a file.
    pub ops_token: Option<Secret>,
    /// A second token that may only read.
    pub ops_read_token: Option<Secret>,
    /// Public addresses for endpoints without their own; empty = the public listener's.
    pub public_urls: Vec<PublicUrl>,
    /// How long an answer may wait for its commit.
    pub timeout: Duration,
    /// How the store correlates and how often it tries.
    pub store: store::Options,
    /// The networks whose forwarded headers are believed, for the client's address only.
    pub trusted_proxies: Vec<IpNet>,
    /// How many requests that are not genuine each network may send in any 60 seconds; 0 = any number. Not a variable.
    pub rejections_per_minute: usize,
    /// How long a stopping gateway goes on accepting before it closes its listeners.
    pub shutdown_delay: Duration,
    /// What is logged, and how.
    pub log: LogConfig,
    /// The endpoints that are on.
    pub endpoints: Vec<Endpoint>,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severe level that is written.
    pub level: tracing::Level,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// A configuration and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should know.
    pub warnings: Vec<Finding>,
}

/// A configuration with everything that was found in it. With problems, defaults stand in for what cannot be read.
#[derive(Debug)]
pub struct Inspected {
    /// The configuration.
    pub config: Config,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// What the operator should know.
    pub warnings: Vec<Finding>,
}

/// Something about one variable. Never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The variable.
    pub variable: String,
    /// What is expected, or what is odd.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.sentence)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Finding>);

impl Config {
    /// Reads the whole environment.
    pub fn inspect(env: &Env) -> Inspected {
        let mut reader = Reader::new(env);
        let config = Self::read(&mut reader);
        let (problems, warnings) = reader.finish();
        Inspected { config, problems, warnings }
    }

    /// Reads the whole environment; on failure names all problems.
    pub fn load(env: &Env) -> Result<Loaded, Problems> {
        let Inspected { config, problems, warnings } = Self::inspect(env);
        if problems.is_empty() { Ok(Loaded { config, warnings }) } else { Err(Problems(problems)) }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let database = reader.parsed(&variables::DATABASE_URL, database::EXPECTED);
        let listen: SocketAddr = reader.parsed(&variables::LISTEN, "an address and port such as 127.0.0.1:8080");
        let ops_listen: SocketAddr = reader.parsed(&variables::OPS_LISTEN, "an address and port such as 127.0.0.1:8081");
        let ops_token = reader.secret(&variables::OPS_TOKEN);
        if ops_token.is_none() && !ops_listen.ip().is_loopback() {
            reader.problem("OPS_TOKEN", "a token is required unless OPS_LISTEN is a loopback address");
        }
        if listen == ops_listen && listen.port() != 0 {
            reader.problem("OPS_LISTEN", "expected another address than LISTEN");
        }
        let public_urls: Vec<PublicUrl> = reader.list(&variables::WEBHOOK_BASE_URL, PUBLIC_URL_EXPECTED);
        if public_urls.len() > MAX_PUBLIC_URLS {
            reader.problem("WEBHOOK_BASE_URL", "expected four at the most: each costs a MAC of every request, forged ones too");
        }
        later::validate(reader, &database);
        let common = endpoints::Common {
            public_urls: public_urls.clone(),
            unknown_message: reader.parsed(&variables::UNKNOWN_MESSAGE_RESPONSE, "`accept` or `not-found`"),
            unverified: unverified(reader, listen, &database),
            per_minute: reader.parsed(&variables::WEBHOOK_RATE_LIMIT, "a whole number"),
        };
        let endpoints = endpoints::read(reader, &common);
        let signed_urls = endpoints.iter().filter(|one| one.spec.signs_url()).flat_map(|one| one.public_urls.iter());
        if signed_urls.into_iter().any(|url| url.host().contains('_')) {
            reader.warning("WEBHOOK_BASE_URL", "has an underscore in its host name, which Twilio refuses (error 21609)");
        }
        if public_urls.is_empty() && endpoints.iter().any(|one| one.spec.signs_url() && one.public_urls.is_empty()) {
            let url = format!(
                "unset, so http://{listen} is taken for the public address; callbacks of URL-signing providers verify only there"
            );
            reader.warning("WEBHOOK_BASE_URL", &url);
        }
        Self {
            database,
            listen,
            ops_listen,
            ops_token,
            ops_read_token: reader.secret(&variables::OPS_READ_TOKEN),
            public_urls,
            timeout: timeout(reader),
            store: store_options(reader),
            trusted_proxies: trusted_proxies(reader),
            rejections_per_minute: REJECTIONS_PER_MINUTE,
            shutdown_delay: Duration::from_secs(reader.parsed(&variables::SHUTDOWN_DELAY, "seconds, a whole number")),
            log: LogConfig { level: log_level(reader), json: reader.one_of(&variables::LOG_FORMAT, &["text", "json"]) == "json" },
            endpoints,
        }
    }
}

fn store_options(reader: &mut Reader<'_>) -> store::Options {
    let strategies: Vec<String> = reader.list(&variables::MESSAGE_ID_MAPPING_STRATEGY, "a list of words");
    let is_on = |strategy: &str| strategies.iter().any(|one| one == strategy);
    if strategies.iter().any(|one| !["database", "embedded", "timestamp"].contains(&one.as_str())) {
        reader.problem("MESSAGE_ID_MAPPING_STRATEGY", "a comma list of `database`, `embedded`, `timestamp`");
    }
    if is_on("timestamp") {
        reader.warning(
            "MESSAGE_ID_MAPPING_STRATEGY",
            "`timestamp` guesses: two messages to one recipient may be taken for each other",
        );
    }
    let unconfirmed_after = Duration::from_secs(reader.parsed(&variables::UNCONFIRMED_AFTER, "seconds, a whole number"));
    let window = Duration::from_secs(reader.parsed(&variables::TIMESTAMP_MATCHING_WINDOW, "seconds, a whole number"));
    store::Options {
        max_retries: reader.parsed(&variables::WEBHOOK_MAX_RETRIES, "a whole number"),
        matches_embedded: is_on("embedded"),
        timestamp_window: is_on("timestamp").then_some(window.min(MAX_SECONDS)),
        part_timeout: Duration::from_secs(reader.parsed(&variables::INBOUND_PART_TIMEOUT, "seconds, a whole number"))
            .min(MAX_SECONDS),
        retention: retention(reader),
        unconfirmed_after: (!unconfirmed_after.is_zero()).then_some(unconfirmed_after.min(MAX_SECONDS)),
    }
}

fn retention(reader: &mut Reader<'_>) -> store::Retention {
    let days =
        |number: u64| (number > 0).then(|| Duration::from_hours(number.saturating_mul(24).min(MAX_SECONDS.as_secs() / 3600)));
    let events: u64 = reader.parsed(&variables::EVENT_RETENTION_DAYS, "days, a whole number");
    if (1..MIN_EVENT_DAYS).contains(&events) {
        reader.problem("EVENT_RETENTION_DAYS", "expected 0 (for ever) or 7 days or more: a callback may be repeated for days");
    }
    store::Retention { bodies: days(reader.parsed(&variables::RETENTION_DAYS, "days, a whole number")), events: days(events) }
}

/// Providers repeat a callback for days, and without its request's row it would be a new one.
const MIN_EVENT_DAYS: u64 = 7;

/// A hundred years: longer than any window makes sense, and short enough to calculate with.
const MAX_SECONDS: Duration = Duration::from_hours(100 * 365 * 24);

/// What a list of networks must look like.
const NETWORKS_EXPECTED: &str = "a comma list of networks or addresses such as 10.0.0.0/8";

/// A network, or an address that stands for itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let names: Vec<String> = reader.list(&variables::TRUSTED_PROXIES, NETWORKS_EXPECTED);
    let networks: Vec<Option<IpNet>> = names.iter().map(|name| network(name)).collect();
    if networks.iter().any(Option::is_none) {
        reader.problem("TRUSTED_PROXIES", NETWORKS_EXPECTED);
    }
    networks.into_iter().flatten().collect()
}

const MAX_PUBLIC_URLS: usize = 4;

/// What a base URL must look like.
const PUBLIC_URL_EXPECTED: &str = "https://host[:port][/prefix], or a comma list of such, without query or fragment";

/// The permission to verify nothing, if it is asked for and the fences hold.
fn unverified(reader: &mut Reader<'_>, listen: SocketAddr, database: &DatabaseUrl) -> Option<Permission> {
    let allows_tunnel = reader.one_of(&variables::WEBHOOK_ALLOW_TUNNEL, &["true", "false"]) == "true";
    if reader.one_of(&variables::VERIFY_WEBHOOK_SIGNATURES, &["true", "false"]) == "true" {
        if allows_tunnel {
            reader.warning("WEBHOOK_ALLOW_TUNNEL", "changes nothing while callbacks are verified");
        }
        return None;
    }
    let permission = Permission::grant(listen, matches!(database, DatabaseUrl::Sqlite(_)), allows_tunnel);
    match permission {
        Some(_) => reader.warning(
            "VERIFY_WEBHOOK_SIGNATURES",
            "is false: anybody who reaches this port can write any status; for development only",
        ),
        None => reader.problem(
            "VERIFY_WEBHOOK_SIGNATURES",
            "false is allowed only with a loopback LISTEN and an embedded (sqlite://) DATABASE_URL",
        ),
    }
    permission
}

fn timeout(reader: &mut Reader<'_>) -> Duration {
    let seconds: u64 = reader.parsed(&variables::WEBHOOK_TIMEOUT, "seconds, a whole number from 1");
    if seconds == 0 {
        reader.problem("WEBHOOK_TIMEOUT", "seconds, a whole number from 1");
    }
    if seconds > MAX_TIMEOUT {
        reader.warning("WEBHOOK_TIMEOUT", "more than 4 seconds is taken as 4, because SignalWire hangs up after 5");
    }
    Duration::from_secs(seconds.min(MAX_TIMEOUT))
}

fn log_level(reader: &mut Reader<'_>) -> tracing::Level {
    match reader.one_of(&variables::WEBHOOK_LOG_LEVEL, &["debug", "info", "warning", "error"]).as_str() {
        "debug" => tracing::Level::DEBUG,
        "warning" => tracing::Level::WARN,
        "error" => tracing::Level::ERROR,
        _ => tracing::Level::INFO,
    }
}
