//! Every variable that belongs to no provider: name, default, meaning. The reader takes only these, `.env.example` and
//! the README are written from them.

/// One variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value that is taken if it is unset; empty = none.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
}

macro_rules! variables {
    ($($name:ident = $default:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub static $name: Variable = Variable { name: stringify!($name), default: $default, doc: $doc };)*

        /// All of them, in the order in which `.env.example` shows them.
        pub static ALL: &[&Variable] = &[$(&$name),*];
    };
}

variables! {
    DATABASE_URL = "sqlite://waybill.db", "Where everything is kept: `sqlite://path` or `postgres://…`.";
    LISTEN = "127.0.0.1:8080", "Address of the public listener.";
    OPS_LISTEN = "127.0.0.1:8081", "Address of the listener for operations.";
    OPS_TOKEN = "", "Token of the ops listener. Unset (loopback only): one is generated into `waybill.ops-token` beside the database.";
    OPS_READ_TOKEN = "", "A second token of the ops listener that may only read.";
    WEBHOOK_BASE_URL = "", "Public origin, and the path prefix if a proxy strips one; a comma list, four at the most, while a domain moves. Unset: `http://` and LISTEN.";
    VERIFY_WEBHOOK_SIGNATURES = "true", "Whether callbacks must be genuine. `false` is for development only: every provider is on without secrets, rows are marked `none`, and LISTEN must be loopback and the database embedded.";
    WEBHOOK_ALLOW_TUNNEL = "false", "With `VERIFY_WEBHOOK_SIGNATURES=false`: whether callbacks may come through a proxy or tunnel all the same.";
    WEBHOOK_TIMEOUT = "4", "Seconds an answer may wait for its commit; more than 4 is taken as 4.";
    WEBHOOK_MAX_RETRIES = "3", "How often a transaction is tried again after a serialization failure.";
    MESSAGE_ID_MAPPING_STRATEGY = "database,embedded", "How callbacks find the application's message: a list, in order, of `database`, `embedded`, `timestamp`.";
    TIMESTAMP_MATCHING_WINDOW = "3600", "Seconds around a callback in which `timestamp` looks for a message.";
    UNKNOWN_MESSAGE_RESPONSE = "accept", "Answer about a message that the application has not registered: `accept` (200) or `not-found` (404). Its event is kept in either case.";
    TRUSTED_PROXIES = "", "Networks whose forwarded headers are believed, for the client's address only: a comma list such as 10.0.0.0/8.";
    WEBHOOK_RATE_LIMIT = "0", "Genuine callbacks per endpoint in any 60 seconds; 0 = no limit. Only verified ones are counted.";
    RETENTION_DAYS = "30", "Days for which raw bodies are kept; 0 = for ever.";
    EVENT_RETENTION_DAYS = "0", "Days for which events and requests are kept, 7 at the least, because providers repeat a callback for days; 0 = for ever. Message rows stay.";
    INBOUND_PART_TIMEOUT = "3600", "Seconds for which the parts of a long inbound message are waited for; then what came is released, marked as partial.";
    UNCONFIRMED_AFTER = "259200", "Seconds since the last report after which a message without a final one is marked `unconfirmed`; 0 = never. A report that comes after all counts.";
    SPOOL_PATH = "", "A directory on a durable volume that takes callbacks while Postgres is away. Not yet in effect.";
    SPOOL_MAX_BYTES = "2147483648", "The most that the spool may hold. Not yet in effect.";
    SHUTDOWN_DELAY = "5", "Seconds a stopping gateway goes on accepting, so that a load balancer can turn away first.";
    WEBHOOK_LOG_LEVEL = "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`, in any case.";
    LOG_FORMAT = "text", "`text` or `json`.";
}
