//! Why a transaction did not commit, and what follows from it.

use diesel::result::{DatabaseErrorKind, Error};
use strum::{IntoStaticStr, VariantNames};

/// Why a transaction did not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another transaction was in the way; trying again at once can help.
    Transient,
    /// Something holds a lock or takes too long; trying again would hold up everybody behind.
    Blocked,
    /// The database refused a row.
    Refused,
    /// The connection is gone or the database cannot work; whether it committed may be unknown.
    Unavailable,
}

/// The databases' own words for trouble that is not a row's. Diesel hands on no SQLSTATE, and calls all of this unknown.
const TRANSIENT: [&str; 1] = ["deadlock detected"];
const BLOCKED: [&str; 4] = ["is locked", "lock timeout", "statement timeout", "locking protocol"];
const UNAVAILABLE: [&str; 14] = [
    "disk is full",
    "disk I/O error",
    "readonly database",
    "No space left",
    "unable to open database",
    "image is malformed",
    "out of memory",
    "out of shared memory",
    "no such table",
    "no such column",
    "permission denied",
    "does not exist",
    "terminating connection",
    "read-only transaction",
];

/// What is not recognized counts as refused: the record is then tried alone, and without its normalized row.
pub(super) fn classify(error: &Error) -> Failure {
    let Error::DatabaseError(kind, information) = error else {
        return match error {
            Error::SerializationError(_) | Error::DeserializationError(_) | Error::QueryBuilderError(_) => Failure::Refused,
            _ => Failure::Unavailable,
        };
    };
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| information.message().contains(phrase));
    match kind {
        DatabaseErrorKind::SerializationFailure => Failure::Transient,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ReadOnlyTransaction => {
            Failure::Unavailable
        }
        DatabaseErrorKind::Unknown if says(&TRANSIENT) => Failure::Transient,
        DatabaseErrorKind::Unknown if says(&BLOCKED) => Failure::Blocked,
        DatabaseErrorKind::Unknown if says(&UNAVAILABLE) => Failure::Unavailable,
        _ => Failure::Refused,
    }
}

/// A name for the log and the metrics: the error's own text can quote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Kind {
    UniqueViolation,
    ForeignKeyViolation,
    NotNullViolation,
    CheckViolation,
    SerializationFailure,
    ConnectionLost,
    /// Another one that the database told.
    Database,
    /// Another one, found before the database was asked.
    Client,
    /// The database cannot be reached.
    NoConnection,
    /// A bug of ours, caught.
    Panic,
}

impl From<&Error> for Kind {
    fn from(error: &Error) -> Self {
        match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::UniqueViolation,
            Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::ForeignKeyViolation,
            Error::DatabaseError(DatabaseErrorKind::NotNullViolation, _) => Self::NotNullViolation,
            Error::DatabaseError(DatabaseErrorKind::CheckViolation, _) => Self::CheckViolation,
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::SerializationFailure,
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _) => {
                Self::ConnectionLost
            }
            Error::DatabaseError(_, _) => Self::Database,
            _ => Self::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind, message: &str) -> Failure {
        classify(&Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn trouble_of_the_database_is_never_taken_for_a_bad_row() {
        use DatabaseErrorKind::{CheckViolation, ClosedConnection, SerializationFailure, Unknown};
        assert_eq!(database(SerializationFailure, ""), Failure::Transient);
        assert_eq!(database(Unknown, "deadlock detected"), Failure::Transient);
        assert_eq!(database(Unknown, "database is locked"), Failure::Blocked);
        assert_eq!(database(Unknown, "canceling statement due to lock timeout"), Failure::Blocked);
        assert_eq!(database(ClosedConnection, ""), Failure::Unavailable);
        assert_eq!(database(Unknown, "database or disk is full"), Failure::Unavailable);
        assert_eq!(database(Unknown, "column \"x\" does not exist"), Failure::Unavailable);
        assert_eq!(database(CheckViolation, "does not exist"), Failure::Refused);
        assert_eq!(database(Unknown, "invalid byte sequence"), Failure::Refused);
        assert_eq!(classify(&Error::BrokenTransactionManager), Failure::Unavailable);
    }
}
