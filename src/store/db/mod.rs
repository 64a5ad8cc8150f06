//! Connections to both databases, their schema, migrations, statements and errors. Imports no other part of the store.

pub(crate) mod advisory_locks;
pub(crate) mod audit;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod error_kind;
pub(crate) mod expired_keys;
mod instant;
pub(crate) mod key;
pub(crate) mod migrations;
pub(crate) mod positions;
pub(crate) mod postgres_url;
pub(crate) mod readers;
pub(crate) mod rejected_file;
pub(crate) mod schema;
pub(crate) mod statement;
pub(crate) mod url;
pub(crate) mod wide;
