//! Why the store did not do what it was asked.

use std::sync::Arc;

use super::failure;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue stayed full.
    #[error("too many requests wait for the database")]
    Busy,
    /// The database refuses a row.
    #[error("the database refuses a row")]
    Refused,
    /// The database is away, or whether it committed is unknown.
    #[error("the database is not available")]
    Unavailable,
    /// A setting on which the promise of durability stands is off.
    #[error("{0}")]
    NotDurable(&'static str),
    /// The database was migrated by a newer version.
    #[error("the database has migrations that this version does not know; use the newer version")]
    NewerSchema,
    /// Migrations are pending where none is applied.
    #[error("the database is not migrated for this version; run `waybill migrate`")]
    NotMigrated,
    /// A migration failed.
    #[error("a migration failed: {0}")]
    Migration(Arc<dyn std::error::Error + Send + Sync>),
    /// A statement failed.
    #[error("a statement failed: {0}")]
    Statement(Arc<diesel::result::Error>),
    /// The writer's thread does not start.
    #[error("the writer does not start: {0}")]
    Thread(Arc<std::io::Error>),
    /// The folder or file of the database cannot be made.
    #[error("cannot prepare the database's folder: {0}")]
    Folder(Arc<std::io::Error>),
}

impl StoreError {
    /// A name for the log: the text of a failed statement can quote a row.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Statement(error) => failure::Kind::from(&**error).into(),
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
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
