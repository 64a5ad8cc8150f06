//! Advisory locks for work that gateways must not do concurrently although there is no row to lock yet. SQLite needs none: its
//! write transactions are exclusive.

use std::collections::BTreeSet;

use diesel::{QueryResult, RunQueryDsl, sql_types::BigInt};
use sha2::{Digest, Sha256};

use super::{
    connection::Connection,
    key::MessageKey,
    statement::{Column, SqlTemplate, Statement},
};

/// The number by which Postgres identifies a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lock(i64);

impl Lock {
    /// Serializes the registration of a reference with callbacks that carry it.
    pub(crate) fn reference(reference: &str) -> Self {
        Self::from_parts(&["reference", reference])
    }

    /// Serializes the registration of a message that has a row per recipient with callbacks for further recipients.
    pub(crate) fn message(MessageKey { service_type, account, external_id, .. }: &MessageKey) -> Self {
        Self::from_parts(&["message", service_type, account, external_id])
    }

    /// Serializes the parts of long messages from one sender to one recipient.
    pub(crate) fn parts(service_type: &str, account: &str, sender: &str, recipient: &str) -> Self {
        Self::from_parts(&["parts", service_type, account, sender, recipient])
    }

    /// Serializes the deletion of expired rows.
    pub(crate) fn pruning() -> Self {
        Self::from_parts(&["pruning"])
    }

    fn from_parts(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let truncated_hash = digest.get(..8).and_then(|truncated_hash| truncated_hash.try_into().ok()).unwrap_or_default();
        Self(i64::from_be_bytes(truncated_hash))
    }
}

struct TakeLocks;
impl SqlTemplate for TakeLocks {
    // Taken in the order of the array, which is sorted.
    const PIECES: &'static [&'static [&'static str]] =
        &[&["SELECT count(pg_advisory_xact_lock(key)) FROM (SELECT "], &[") AS locks (key)"]];
    type Row = BigInt;
}

/// Takes locks until the end of the transaction, in sorted order and before any row is written, so that gateways cannot deadlock.
pub(crate) fn take(connection: &mut Connection, locks: &BTreeSet<Lock>) -> QueryResult<()> {
    match connection {
        Connection::Postgres(c) if !locks.is_empty() => {
            let keys = (Column::<BigInt, _>::new(locks.iter().map(|lock| lock.0)),);
            Statement::new(TakeLocks, (keys,)).execute(c).map(drop)
        }
        _ => Ok(()),
    }
}
