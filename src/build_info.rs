//! The features and library versions of this binary.

use std::{fmt, sync::LazyLock};

use serde::Serialize;

/// The features and library versions of a binary.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BuildInfo {
    /// The version of Waybill.
    pub version: &'static str,
    /// The version of SQLite, which is always compiled in.
    pub sqlite: &'static str,
    /// The version of libpq if it is compiled in, otherwise where it comes from.
    pub libpq: &'static str,
    /// A connection to Postgres can be encrypted. The system's libpq has TLS; a bundled one has it with the feature `postgres-tls`.
    pub postgres_tls: bool,
}

/// This binary.
pub const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    sqlite: match libsqlite3_sys::SQLITE_VERSION.to_str() {
        Ok(version) => version,
        Err(_) => "",
    },
    libpq: if cfg!(feature = "bundled-libpq") { concat!(env!("LIBPQ_VERSION"), " bundled") } else { "of the system" },
    postgres_tls: cfg!(any(feature = "postgres-tls", not(feature = "bundled-libpq"))),
};

/// [`BUILD`] as text, for `--version`.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| BUILD.to_string());

impl fmt::Display for BuildInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, sqlite, libpq, postgres_tls } = self;
        let tls = if *postgres_tls { "with" } else { "without" };
        write!(formatter, "{version} (sqlite {sqlite}, libpq {libpq}, {tls} TLS)")
    }
}
