//! The database URL. Its scheme alone selects the database.

use std::{path::PathBuf, str::FromStr};

use super::postgres_url;
use crate::secret::Secret;

/// The accepted forms of `DATABASE_URL`.
pub(crate) const EXPECTED: &str = "sqlite://path or postgres://user@host/database";

#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// An embedded SQLite file.
    Sqlite(PathBuf),
    /// A Postgres connection string; secret because it may contain a password.
    Postgres(Secret),
}

/// The scheme is unknown, or what follows it is empty.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{EXPECTED}")]
pub struct DatabaseUrlError;

impl DatabaseUrl {
    /// The files of an embedded database, of which some may not exist.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Self::Sqlite(path) = self else { return Vec::new() };
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        ["", "-wal", "-shm", "-journal", "-rejected", "-rejected-journal"].into_iter().map(beside).collect()
    }

    /// The connection has to be encrypted: the URL says so, or it leads to another machine.
    pub(crate) fn needs_tls(&self, environment: postgres_url::Environment<'_>) -> bool {
        matches!(self, Self::Postgres(url) if postgres_url::needs_tls(url.text(), environment))
    }

    /// The connection leads to another machine whose certificate is not verified.
    pub(crate) fn is_unverified(&self, environment: postgres_url::Environment<'_>) -> bool {
        matches!(self, Self::Postgres(url) if postgres_url::is_unverified(url.text(), environment))
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(url: &str) -> Result<Self, DatabaseUrlError> {
        match url.split_once("://") {
            // SQLite accepts any text as a file name: without this check `postgres:typo` would create a file.
            Some(("sqlite", path)) if !path.is_empty() && !path.contains(['?', '\0']) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Self::Postgres(Secret::new(url))),
            _ => Err(DatabaseUrlError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_selects_the_database() {
        assert!(matches!("sqlite://a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.ends_with("a.db")));
        assert!(matches!("sqlite:///var/a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.is_absolute()));
        assert!(matches!("postgresql://h/d".parse(), Ok(DatabaseUrl::Postgres(_))));
        for unknown in ["", "waybill.db", "postgres:typo", "mysql://h/d", "sqlite://", "sqlite:a.db", "file:///a.db"] {
            assert!(unknown.parse::<DatabaseUrl>().is_err(), "{unknown}");
        }
    }
}
