//! Errors of the store.

use std::sync::Arc;

use super::error_kind::{ErrorKind, ErrorLabel, classify};

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue stayed full.
    #[error("too many requests are waiting for the database")]
    Busy,
    #[error("the database rejected a row")]
    Refused,
    #[error("another transaction or process holds a lock")]
    Locked,
    #[error("the query took too long")]
    TimedOut,
    /// The database cannot be reached, or it is unknown whether it committed.
    #[error("the database is unavailable")]
    Unavailable,
    /// A setting that durable commits depend on is off.
    #[error("{0}")]
    NotDurable(&'static str),
    #[error("the database was migrated by a newer version of Waybill; run that version")]
    NewerSchema,
    /// Migrations are pending, and the command does not apply them.
    #[error("the database is not migrated for this version; run `waybill migrate`")]
    NotMigrated,
    #[error("a migration failed: {0}")]
    Migration(Arc<dyn std::error::Error + Send + Sync>),
    #[error("a statement failed: {0}")]
    Statement(Arc<diesel::result::Error>),
    #[error("cannot start the writer thread: {0}")]
    Thread(Arc<std::io::Error>),
    #[error("cannot prepare the database folder: {0}")]
    Folder(Arc<std::io::Error>),
    /// A file of the database is open to other users, and belongs to one of them.
    #[error("{0}")]
    Permissions(Arc<std::io::Error>),
}

impl StoreError {
    /// True if another transaction or another process holds a lock.
    pub fn is_locked(&self) -> bool {
        match self {
            Self::Locked => true,
            Self::Statement(error) => classify(error) == ErrorKind::Locked,
            _ => false,
        }
    }

    /// A label for the log, because the text of a failed statement can quote a row.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Statement(error) => ErrorLabel::from(&**error).into(),
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Locked => "locked",
            Self::TimedOut => "timed_out",
            _ => "start",
        }
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Statement(Arc::new(error))
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for StoreError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Migration(error.into())
    }
}
