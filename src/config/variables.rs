//! Every variable that belongs to no provider, with its default and description. The reader accepts only these, and
//! `.env.example` is generated from them.

#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// The value if it is unset; empty = none.
    pub default: &'static str,
    /// Its description in the documentation.
    pub doc: &'static str,
}

impl Variable {
    /// True for one that may be in a file.
    pub fn is_secret(&self) -> bool {
        ["DATABASE_URL", "OPS_TOKEN", "OPS_READ_TOKEN", "QUEUE_URL", "QUEUE_NKEY"].contains(&self.name)
    }
}

macro_rules! variables {
    ($($name:ident = $default:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub static $name: Variable = Variable { name: stringify!($name), default: $default, doc: $doc };)*

        /// All variables, in the order of `.env.example`.
        pub static ALL: &[&Variable] = &[$(&$name),*];
    };
}

variables! {
    DATABASE_URL = "sqlite://waybill.db", "URL of the database: `sqlite://path` or `postgres://…`.";
    LISTEN = "127.0.0.1:8080", "Address of the public listener.";
    OPS_LISTEN = "127.0.0.1:8081", "Address of the operations listener.";
    OPS_TOKEN = "", "Token of the operations listener. If unset (allowed on loopback only), one is generated into `waybill.ops-token` beside the database.";
    OPS_READ_TOKEN = "", "A second token of the operations listener, for read access only.";
    OPS_BASE_PATH = "", "Path prefix under which a proxy shows the operations listener, such as `/waybill`. Links, forms and redirects have it; requests are accepted with and without it.";
    WEBHOOK_BASE_URL = "", "Public origin of the gateway, with the path prefix if a proxy strips one. A comma-separated list of at most 4 while a domain moves. If unset, `http://` and LISTEN.";
    VERIFY_WEBHOOK_SIGNATURES = "true", "Verify the signatures of callbacks. `false` is for development only: every provider is enabled without secrets, rows are marked `none`, LISTEN must be loopback, and the database must be SQLite.";
    WEBHOOK_ALLOW_TUNNEL = "false", "With `VERIFY_WEBHOOK_SIGNATURES=false`: accept callbacks that arrive through a proxy or tunnel.";
    WEBHOOK_TIMEOUT = "4", "Seconds that a response may wait for its commit. A value over 4 counts as 4, and without a spool one over 2.5 as 2.5.";
    WEBHOOK_KEEP_ALIVE = "5", "Seconds for which the public listener keeps a connection open between two requests, from 1. Set it higher than your proxy's idle time-out: docs/deploy.md has a table.";
    WRITERS = "2", "Number of connections that write to Postgres at the same time, 1 to 255. SQLite always uses one.";
    WEBHOOK_MAX_RETRIES = "3", "Number of retries of a transaction after a serialization failure.";
    MESSAGE_ID_MAPPING_STRATEGY = "database,embedded", "Strategies for matching a callback with the application's message, in order: `database`, `embedded`, `timestamp`. A comma-separated list.";
    TIMESTAMP_MATCHING_WINDOW = "3600", "Seconds before and after a callback in which `timestamp` looks for a message.";
    UNKNOWN_MESSAGE_RESPONSE = "accept", "Response to a callback for a message that the application has not registered: `accept` (200) or `not-found` (404). The event is stored in either case.";
    TRUSTED_PROXIES = "", "Networks of your proxies, from which `CLIENT_IP_HEADER` is used for the client's address. A comma-separated list such as 10.0.0.0/8.";
    CLIENT_IP_HEADER = "x-forwarded-for", "Header in which `TRUSTED_PROXIES` pass the client's address: `x-forwarded-for`, `forwarded` (RFC 7239) or `x-real-ip`. The others are ignored.";
    WEBHOOK_RATE_LIMIT = "0", "New verified callbacks per endpoint in any 60 seconds; 0 = no limit. Copies of known ones have a limit of their own.";
    RETENTION_DAYS = "30", "Days for which raw bodies are retained; 0 = forever.";
    EVENT_RETENTION_DAYS = "0", "Days for which events and requests are retained, at least 7, because providers retry a callback for days; 0 = forever. Message rows and keys are not deleted.";
    INBOUND_PART_TIMEOUT = "3600", "Seconds to wait for the parts of a long inbound message. After that, the parts received are released, marked as partial.";
    OPT_OUT_WORDS = "", "Further words, beside `stop`, `stopall`, `unsubscribe`, `cancel`, `end`, `quit`, `revoke` and `optout`, that count as an opt-out if an inbound message consists of nothing else. A comma-separated list. Case, blanks, hyphens, quotes and closing punctuation are ignored, here and in messages.";
    OPT_IN_WORDS = "", "Further words, beside `start` and `unstop`, with which a sender resumes messages. A list as in `OPT_OUT_WORDS`; each word has one meaning.";
    HELP_WORDS = "", "Further words, beside `help` and `info`, with which a sender asks for help. A list as in `OPT_OUT_WORDS`.";
    UNCONFIRMED_AFTER = "259200", "Seconds since the last report after which a message without a final report is marked `unconfirmed`; 0 = never. A later report replaces the mark.";
    SPOOL_PATH = "", "A directory on a durable local volume, in which callbacks are stored that the database has not committed yet. Unset = no spool.";
    SPOOL_MODE = "outage", "With `SPOOL_PATH`: `outage` stores callbacks there while the database is unavailable; `always` stores every callback there first, and writes them to the database in large batches.";
    SPOOL_MAX_BYTES = "2147483648", "Maximum size of the spool in bytes, at least 1048576. Once it is full, callbacks are answered 503.";
    QUEUE_URL = "", "Servers of NATS with `JetStream`, between gateways and writers: `nats://[user:password@|token@]host[:port]` or `tls://…`; a comma-separated list for several servers with one login. Unset = no broker.";
    WAYBILL_ROLE = "all", "With `QUEUE_URL`, the part of this process: `gateway` receives callbacks and publishes them, without a database; `writer` writes them to the database; `all` does both. The same as `serve --role`.";
    WAYBILL_STREAM = "WAYBILL", "Name of the stream: letters, digits, `-` and `_`. Its subjects are the name in lower case, the provider and the account. It is created if it does not exist.";
    QUEUE_REPLICAS = "1", "Number of servers that store the stream, if it is created: 1, 3 or 5.";
    QUEUE_MAX_BYTES = "2147483648", "Maximum size of the stream in bytes, if it is created; at least 1048576. Once it is full, callbacks are answered 503.";
    QUEUE_CREDENTIALS = "", "Path of a NATS credentials file (`.creds`), for servers with decentralized authentication.";
    QUEUE_NKEY = "", "Seed of the key of this client (`NKey`), which begins with `SU`.";
    QUEUE_TLS_CA = "", "Path of a file with the certificates of the authorities that may sign the servers' certificates, in PEM. Requires TLS. Unset = the system's.";
    QUEUE_TLS_CERT = "", "Path of this client's certificate, in PEM, for servers that verify clients. Requires TLS.";
    QUEUE_TLS_KEY = "", "Path of the key of `QUEUE_TLS_CERT`, in PEM.";
    SHUTDOWN_DELAY = "5", "Seconds for which a stopping gateway accepts requests, so that a load balancer can stop sending them.";
    WEBHOOK_LOG_LEVEL = "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`, case-insensitive. Each stored callback is logged at `DEBUG`.";
    LOG_FORMAT = "text", "Format of the log: `text` or `json`.";
}
