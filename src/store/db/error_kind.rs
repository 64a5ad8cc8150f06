//! Classification of database errors: how the writer reacts, and the label for logs and metrics.

use diesel::result::{DatabaseErrorKind, Error};
use strum::{IntoStaticStr, VariantNames};

/// The class of a failed transaction, which decides how the writer reacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A conflict with another transaction; an immediate retry can succeed.
    Transient,
    /// Another transaction holds a lock.
    Locked,
    /// A statement took too long.
    TimedOut,
    /// The database rejected a row.
    Refused,
    /// The connection was lost or the database cannot work; it may be unknown whether the transaction committed.
    Unavailable,
}

/// Phrases of the databases' messages for errors that no row caused. Diesel exposes no SQLSTATE and reports all of them as unknown.
const TRANSIENT: [&str; 1] = ["deadlock detected"];
const LOCKED: [&str; 3] = ["is locked", "lock timeout", "locking protocol"];
const TIMED_OUT: [&str; 1] = ["statement timeout"];
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

/// An unrecognized error counts as `Refused`: the record is then retried alone, and without its normalized rows. A text can also come
/// from a trigger of the application, so that no class but `Refused` is believed before another request was stored (`write::isolate`).
pub(crate) fn classify(error: &Error) -> ErrorKind {
    let Error::DatabaseError(kind, information) = error else {
        return match error {
            Error::SerializationError(_) | Error::DeserializationError(_) | Error::QueryBuilderError(_) => ErrorKind::Refused,
            _ => ErrorKind::Unavailable,
        };
    };
    let contains = |phrases: &[&str]| phrases.iter().any(|phrase| information.message().contains(phrase));
    match kind {
        DatabaseErrorKind::SerializationFailure => ErrorKind::Transient,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ReadOnlyTransaction => {
            ErrorKind::Unavailable
        }
        DatabaseErrorKind::Unknown if contains(&TRANSIENT) => ErrorKind::Transient,
        DatabaseErrorKind::Unknown if contains(&LOCKED) => ErrorKind::Locked,
        DatabaseErrorKind::Unknown if contains(&TIMED_OUT) => ErrorKind::TimedOut,
        DatabaseErrorKind::Unknown if contains(&UNAVAILABLE) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

/// The label of an error in logs and metrics, because the error's own text can quote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ErrorLabel {
    UniqueViolation,
    ForeignKeyViolation,
    NotNullViolation,
    CheckViolation,
    SerializationFailure,
    ConnectionLost,
    /// Any other error from the database.
    Database,
    /// Any other error, found before a statement was sent.
    Client,
    NoConnection,
    /// A caught panic.
    Panic,
}

impl From<&Error> for ErrorLabel {
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

    fn database(kind: DatabaseErrorKind, message: &str) -> ErrorKind {
        classify(&Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn database_failures_are_never_classified_as_a_rejected_row() {
        use DatabaseErrorKind::{CheckViolation, ClosedConnection, SerializationFailure, Unknown};
        assert_eq!(database(SerializationFailure, ""), ErrorKind::Transient);
        assert_eq!(database(Unknown, "deadlock detected"), ErrorKind::Transient);
        assert_eq!(database(Unknown, "database is locked"), ErrorKind::Locked);
        assert_eq!(database(Unknown, "canceling statement due to lock timeout"), ErrorKind::Locked);
        assert_eq!(database(Unknown, "canceling statement due to statement timeout"), ErrorKind::TimedOut);
        assert_eq!(database(ClosedConnection, ""), ErrorKind::Unavailable);
        assert_eq!(database(Unknown, "database or disk is full"), ErrorKind::Unavailable);
        assert_eq!(database(Unknown, "column \"x\" does not exist"), ErrorKind::Unavailable);
        assert_eq!(database(CheckViolation, "does not exist"), ErrorKind::Refused);
        assert_eq!(database(Unknown, "invalid byte sequence"), ErrorKind::Refused);
        assert_eq!(classify(&Error::BrokenTransactionManager), ErrorKind::Unavailable);
    }
}
