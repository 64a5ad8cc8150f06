//! Which database: decided by the scheme of `DATABASE_URL`, and by nothing else.

use std::{path::PathBuf, str::FromStr};

use crate::secret::Secret;

/// What `DATABASE_URL` must look like.
pub(super) const EXPECTED: &str = "sqlite://path or postgres://user@host/database";

/// A database by the scheme of its URL.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// An embedded SQLite file.
    Sqlite(PathBuf),
    /// A Postgres connection string; a secret, because it may hold a password.
    Postgres(Secret),
}

/// The scheme is unknown, or what follows it is empty.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{EXPECTED}")]
pub struct UnknownDatabase;

impl FromStr for DatabaseUrl {
    type Err = UnknownDatabase;

    fn from_str(url: &str) -> Result<Self, UnknownDatabase> {
        match url.split_once("://") {
            // SQLite takes any text as a file name, so a typo must not get this far: `postgres:typo` would be a new file.
            Some(("sqlite", path)) if !path.is_empty() && !path.contains(['?', '\0']) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Self::Postgres(Secret::new(url))),
            _ => Err(UnknownDatabase),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_alone_decides() {
        assert!(matches!("sqlite://a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.ends_with("a.db")));
        assert!(matches!("sqlite:///var/a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.is_absolute()));
        assert!(matches!("postgresql://h/d".parse(), Ok(DatabaseUrl::Postgres(_))));
        for unknown in ["", "waybill.db", "postgres:typo", "mysql://h/d", "sqlite://", "sqlite:a.db", "file:///a.db"] {
            assert!(unknown.parse::<DatabaseUrl>().is_err(), "{unknown}");
        }
    }
}
