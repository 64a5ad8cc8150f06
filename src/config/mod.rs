//! The configuration, read once at the start from the environment and `.env`. All its problems are reported at once.
//!
//! Loading opens no socket and writes nothing; it reads only the files that a provider's setting names.

mod base_path;
mod broker;
mod connections;
mod endpoints;
mod opt_out;
mod reader;
mod reload;
mod secret_files;
mod spool;
pub mod variables;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use connections::{BodyLimits, ConnectionLimits, Connections};
use ipnet::IpNet;
use reader::Reader;
pub use reload::{RELOADED, Reread, Source};
pub use secret_files::SecretFile;

use crate::{
    build_info::BUILD,
    endpoint::{EndpointConfig, UnknownMessage},
    env::{
        Findings,
        values::{NETWORKS_EXPECTED, network},
    },
    event::OptOutWords,
    forwarded::ClientIpHeader,
    guesses::GUESSES_PER_MINUTE,
    provider::Spec,
    public_url::PublicUrl,
    queue::QueueOptions,
    secret::Secret,
    signature::unverified::Permission,
    store::{self, EXPECTED_DATABASE, LOCAL_EXPECTED},
};
pub use crate::{
    env::{Env, EnvError, Finding},
    store::DatabaseUrl,
};

/// SignalWire closes the connection after 5 seconds.
const MAX_TIMEOUT: u64 = 4;

/// More rejected requests a minute from one network are not a misconfigured sender's.
const REJECTIONS_PER_MINUTE: u64 = 60;

/// The configuration of a gateway.
#[derive(Debug)]
pub struct Config {
    pub database: DatabaseUrl,
    /// Address of the public listener.
    pub listen: SocketAddr,
    /// Address of the ops listener.
    pub ops_listen: SocketAddr,
    /// The token of the ops listener; unset = one is generated into a file.
    pub ops_token: Option<Secret>,
    /// A second token that grants reading only.
    pub ops_read_token: Option<Secret>,
    /// The path prefix under which a proxy shows the ops listener; empty, or without a slash at its end.
    pub ops_base_path: String,
    /// Public addresses for endpoints without their own; empty = the public listener's.
    pub public_urls: Vec<PublicUrl>,
    /// Maximum wait of a response for its commit.
    pub timeout: Duration,
    pub store: store::Options,
    /// The queue in front of the database.
    pub queue: QueueOptions,
    /// Networks whose forwarded headers are trusted, for the client's address only.
    pub trusted_proxies: Vec<IpNet>,
    /// The header from which it is read.
    pub client_ip_header: ClientIpHeader,
    /// Rejected requests that each network may send in any 60 seconds; 0 = no limit. Not a variable.
    pub rejections_per_minute: u64,
    /// Limits of connections. Not a variable.
    pub connections: Connections,
    /// Wrong credentials that each network may send to one place in any 60 seconds; 0 = no limit. Not a variable.
    pub guesses_per_minute: u64,
    /// Time for which a stopping gateway still accepts requests before it closes its listeners.
    pub shutdown_delay: Duration,
    pub log: LogConfig,
    pub endpoints: Vec<EndpointConfig>,
    /// One for each provider with named accounts; see [`crate::router::Router`].
    pub unknown_accounts: Vec<EndpointConfig>,
    /// From where it can be read again.
    pub source: Source,
}

/// The log's level and format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severe level that is logged.
    pub level: tracing::Level,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// A valid configuration with its warnings.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Finding>,
}

/// A configuration with all findings. Defaults replace the values that cannot be parsed.
#[derive(Debug)]
pub struct Inspected {
    pub config: Config,
    pub problems: Vec<Finding>,
    pub warnings: Vec<Finding>,
    /// The secrets that are in files.
    pub secret_files: Vec<SecretFile>,
}

/// The problems of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Finding>);

impl Config {
    /// Reads the environment and returns all findings.
    pub fn inspect(env: &Env) -> Inspected {
        let mut findings = Findings::default();
        let (values, secret_files) = secret_files::read(env, &mut findings);
        let mut inspected = Self::inspect_values(&values, findings, secret_files);
        inspected.config.source = Source::new(env, &values);
        inspected
    }

    /// Reads an environment with the secrets of its files in place of their paths.
    fn inspect_values(values: &Env, findings: Findings, secret_files: Vec<SecretFile>) -> Inspected {
        let mut reader = Reader { env: values, findings };
        let config = Self::read(&mut reader);
        let Findings { mut problems, mut warnings } = reader.findings;
        for finding in problems.iter_mut().chain(&mut warnings) {
            for file in &secret_files {
                file.rename(finding);
            }
        }
        Inspected { config, problems, warnings, secret_files }
    }

    /// Reads the environment; fails with all problems.
    pub fn load(env: &Env) -> Result<Loaded, Problems> {
        let Inspected { config, problems, warnings, .. } = Self::inspect(env);
        if problems.is_empty() { Ok(Loaded { config, warnings }) } else { Err(Problems(problems)) }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        if let Some(file) = reader.env.public_file() {
            reader.warning(file, "all users of this machine can read it, and it may hold secrets: chmod 600 it");
        }
        let database: DatabaseUrl = reader.parsed(&variables::DATABASE_URL, EXPECTED_DATABASE);
        connection_to(reader, &database);
        let listen: SocketAddr = reader.parsed(&variables::LISTEN, "an address and port such as 127.0.0.1:8080");
        let ops_listen: SocketAddr = reader.parsed(&variables::OPS_LISTEN, "an address and port such as 127.0.0.1:8081");
        let ops_token = reader.secret(&variables::OPS_TOKEN);
        let queue = queue(reader, &database, ops_token.is_some());
        if ops_token.is_none() && !ops_listen.ip().is_loopback() {
            reader.problem("OPS_TOKEN", "a token is required unless OPS_LISTEN is a loopback address");
        }
        let ops_read_token = reader.secret(&variables::OPS_READ_TOKEN);
        if ops_token.as_ref().zip(ops_read_token.as_ref()).is_some_and(|(all, read)| all.matches(read.bytes())) {
            reader.problem("OPS_READ_TOKEN", "expected a token other than OPS_TOKEN, which may change everything");
        }
        if listen == ops_listen && listen.port() != 0 {
            reader.problem("OPS_LISTEN", "expected an address other than LISTEN");
        }
        let public_urls: Vec<PublicUrl> = reader.list(&variables::WEBHOOK_BASE_URL, PUBLIC_URL_EXPECTED);
        if public_urls.len() > MAX_PUBLIC_URLS {
            reader.problem("WEBHOOK_BASE_URL", TOO_MANY_PUBLIC_URLS);
        }
        let shared = endpoints::Shared {
            public_urls: public_urls.clone(),
            unknown_message: reader.parsed(&variables::UNKNOWN_MESSAGE_RESPONSE, "`accept` or `not-found`"),
            unverified: unverified(reader, listen, &database),
            per_minute: reader.parsed(&variables::WEBHOOK_RATE_LIMIT, "a whole number"),
            opt_out_words: Arc::new(opt_out::words(reader)),
        };
        let (endpoints, unknown_accounts) = endpoints::read(reader, &shared);
        warn_of_not_found(reader, shared.unknown_message, &endpoints, &queue);
        let timeout = timeout(reader);
        spool::warn_of_responses(reader, &queue, shared.unknown_message, timeout);
        warn_of_signed_urls(reader, listen, &public_urls, &endpoints);
        Self {
            database,
            listen,
            ops_listen,
            ops_token,
            ops_read_token,
            ops_base_path: base_path::read(reader),
            public_urls,
            timeout,
            queue,
            store: store_options(reader, &endpoints, shared.opt_out_words),
            trusted_proxies: trusted_proxies(reader, listen, &endpoints),
            client_ip_header: client_ip_header(reader),
            rejections_per_minute: REJECTIONS_PER_MINUTE,
            connections: connections(reader),
            guesses_per_minute: GUESSES_PER_MINUTE,
            shutdown_delay: Duration::from_secs(reader.parsed(&variables::SHUTDOWN_DELAY, "seconds, a whole number")),
            log: LogConfig { level: log_level(reader), json: reader.one_of(&variables::LOG_FORMAT, &["text", "json"]) == "json" },
            endpoints,
            unknown_accounts,
            source: Source::default(),
        }
    }
}

/// Callbacks verify only at the address that their provider signs.
fn warn_of_signed_urls(reader: &mut Reader<'_>, listen: SocketAddr, public_urls: &[PublicUrl], endpoints: &[EndpointConfig]) {
    let signed_urls = endpoints.iter().filter(|one| one.spec.signs_url()).flat_map(|one| one.public_urls.iter());
    if signed_urls.into_iter().any(|url| url.host().contains('_')) {
        reader.warning("WEBHOOK_BASE_URL", "has an underscore in its host name, which Twilio rejects (error 21609)");
    }
    if public_urls.is_empty() && endpoints.iter().any(|one| one.spec.signs_url() && one.public_urls.is_empty()) {
        let url = format!(
            "unset, so the public address is http://{listen}; callbacks of providers that sign the URL verify only there"
        );
        reader.warning("WEBHOOK_BASE_URL", &url);
    }
}

/// Providers take a 404 for a failure, though the event is stored.
fn warn_of_not_found(reader: &mut Reader<'_>, response: UnknownMessage, endpoints: &[EndpointConfig], queue: &QueueOptions) {
    if response != UnknownMessage::NotFound {
        return;
    }
    if matches!(queue, QueueOptions::Broker(_)) {
        let sentence = "`not-found` is not offered with QUEUE_URL: only a writer knows which messages are registered";
        return reader.warning(variables::UNKNOWN_MESSAGE_RESPONSE.name, sentence);
    }
    let mut specs: Vec<&Spec> =
        endpoints.iter().map(|endpoint| endpoint.spec).filter(|spec| !spec.after_not_found.is_empty()).collect();
    specs.dedup_by_key(|spec| spec.name);
    for Spec { title, after_not_found, .. } in specs {
        let sentence =
            format!("`not-found` makes callbacks of messages that are not registered failures: {title} {after_not_found}");
        reader.warning(variables::UNKNOWN_MESSAGE_RESPONSE.name, &sentence);
    }
}

/// The queue in front of the database.
fn queue(reader: &mut Reader<'_>, database: &DatabaseUrl, has_token: bool) -> QueueOptions {
    match broker::read(reader, has_token) {
        Some(broker) => QueueOptions::Broker(broker),
        None => spool::read(reader, database),
    }
}

/// A connection to another machine needs a build with TLS, and verifies the certificate only if asked to.
fn connection_to(reader: &mut Reader<'_>, database: &DatabaseUrl) {
    let env = reader.env;
    let environment = |name: &str| env.get(name).map(str::to_owned);
    if !BUILD.postgres_tls && database.needs_tls(&environment) {
        reader.problem(variables::DATABASE_URL.name, &format!("expected {LOCAL_EXPECTED}"));
    } else if database.is_unverified(&environment) {
        reader.warning(
            variables::DATABASE_URL.name,
            "leads to another machine without `sslmode=verify-full`: a machine in between can read and change every row",
        );
    }
}

fn store_options(reader: &mut Reader<'_>, endpoints: &[EndpointConfig], opt_out_words: Arc<OptOutWords>) -> store::Options {
    let strategies: Vec<String> = reader.list(&variables::MESSAGE_ID_MAPPING_STRATEGY, "a list of words");
    let is_on = |strategy: &str| strategies.iter().any(|one| one == strategy);
    if strategies.iter().any(|one| !["database", "embedded", "timestamp"].contains(&one.as_str())) {
        reader.problem("MESSAGE_ID_MAPPING_STRATEGY", "a comma list of `database`, `embedded`, `timestamp`");
    }
    if is_on("timestamp") {
        reader.warning("MESSAGE_ID_MAPPING_STRATEGY", "`timestamp` guesses: two messages to one recipient may be confused");
    }
    let unconfirmed_after = Duration::from_secs(reader.parsed(&variables::UNCONFIRMED_AFTER, "seconds, a whole number"));
    let window = Duration::from_secs(reader.parsed(&variables::TIMESTAMP_MATCHING_WINDOW, "seconds, a whole number"));
    let unscoped = endpoints.iter().filter(|one| one.matches_unscoped);
    store::Options {
        writers: reader.parsed(&variables::WRITERS, "a whole number from 1 to 255"),
        max_retries: reader.parsed(&variables::WEBHOOK_MAX_RETRIES, "a whole number"),
        matches_embedded: is_on("embedded"),
        unscoped_accounts: unscoped.map(|one| (one.spec.name, one.account.as_str().to_owned())).collect(),
        timestamp_window: is_on("timestamp").then_some(window.min(MAX_SECONDS)),
        part_timeout: Duration::from_secs(reader.parsed(&variables::INBOUND_PART_TIMEOUT, "seconds, a whole number"))
            .min(MAX_SECONDS),
        opt_out_words,
        retention: retention(reader),
        unconfirmed_after: (!unconfirmed_after.is_zero()).then_some(unconfirmed_after.min(MAX_SECONDS)),
    }
}

fn retention(reader: &mut Reader<'_>) -> store::Retention {
    let days =
        |number: u64| (number > 0).then(|| Duration::from_hours(number.saturating_mul(24).min(MAX_SECONDS.as_secs() / 3600)));
    let events: u64 = reader.parsed(&variables::EVENT_RETENTION_DAYS, "days, a whole number");
    if (1..MIN_EVENT_DAYS).contains(&events) {
        reader.problem("EVENT_RETENTION_DAYS", "expected 0 (forever), or 7 days or more: providers retry callbacks for days");
    }
    store::Retention { bodies: days(reader.parsed(&variables::RETENTION_DAYS, "days, a whole number")), events: days(events) }
}

/// Providers retry a callback for days, and its request's row has the response to its retries.
const MIN_EVENT_DAYS: u64 = 7;

/// A hundred years: longer than any useful window, and short enough not to overflow.
const MAX_SECONDS: Duration = Duration::from_hours(100 * 365 * 24);

fn trusted_proxies(reader: &mut Reader<'_>, listen: SocketAddr, endpoints: &[EndpointConfig]) -> Vec<IpNet> {
    let names: Vec<String> = reader.list(&variables::TRUSTED_PROXIES, NETWORKS_EXPECTED);
    let networks: Vec<Option<IpNet>> = names.iter().map(|name| network(name)).collect();
    if networks.iter().any(Option::is_none) {
        reader.problem("TRUSTED_PROXIES", NETWORKS_EXPECTED);
    }
    if names.is_empty() && endpoints.iter().flat_map(|one| one.public_urls.iter()).any(|url| is_behind_proxy(url, listen)) {
        reader.warning(
            "TRUSTED_PROXIES",
            "unset, so limits count all clients of the proxy in front as one network: set it to the proxy's address",
        );
    }
    networks.into_iter().flatten().collect()
}

fn client_ip_header(reader: &mut Reader<'_>) -> ClientIpHeader {
    let header = reader.parsed(&variables::CLIENT_IP_HEADER, "`x-forwarded-for`, `forwarded` or `x-real-ip`");
    if header != ClientIpHeader::default() && reader.env.get(variables::TRUSTED_PROXIES.name).is_none() {
        reader.warning("CLIENT_IP_HEADER", "has no effect: only the proxies that TRUSTED_PROXIES names are believed");
    }
    header
}

/// True if requests for a URL cannot reach the listener without a proxy: it has no TLS, or no address that others can reach.
fn is_behind_proxy(url: &PublicUrl, listen: SocketAddr) -> bool {
    url.scheme() == "https" || (listen.ip().is_loopback() && !url.is_loopback())
}

const MAX_PUBLIC_URLS: usize = 4;
const TOO_MANY_PUBLIC_URLS: &str = "expected at most four: each costs a MAC per request, also of forged ones";

/// The form of a base URL.
const PUBLIC_URL_EXPECTED: &str = "https://host[:port][/prefix], or a comma list of such, without query or fragment";

/// The permission to skip verification, if it is requested and the safeguards allow it.
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
        Some(_) => reader
            .warning("VERIFY_WEBHOOK_SIGNATURES", "is false: any client of this port can write any status; for development only"),
        None => reader.problem(
            "VERIFY_WEBHOOK_SIGNATURES",
            "false is allowed only with a loopback LISTEN and an embedded (sqlite://) DATABASE_URL",
        ),
    }
    permission
}

fn connections(reader: &mut Reader<'_>) -> Connections {
    let mut connections = Connections::default();
    let seconds: u64 = reader.parsed(&variables::WEBHOOK_KEEP_ALIVE, "seconds, a whole number from 1");
    if seconds == 0 {
        reader.problem("WEBHOOK_KEEP_ALIVE", "seconds, a whole number from 1");
    }
    connections.public.idle = Duration::from_secs(seconds).clamp(Duration::from_secs(1), MAX_SECONDS);
    connections
}

fn timeout(reader: &mut Reader<'_>) -> Duration {
    let seconds: u64 = reader.parsed(&variables::WEBHOOK_TIMEOUT, "seconds, a whole number from 1");
    if seconds == 0 {
        reader.problem("WEBHOOK_TIMEOUT", "seconds, a whole number from 1");
    }
    if seconds > MAX_TIMEOUT {
        reader.warning("WEBHOOK_TIMEOUT", "more than 4 seconds is taken as 4, because SignalWire closes the connection after 5");
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
