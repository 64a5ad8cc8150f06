//! Advisory locks: what two gateways must not do at once although neither has a row to lock yet. On SQLite the transaction
//! itself keeps everybody else out.

use std::collections::BTreeSet;

use diesel::QueryResult;
use sha2::{Digest, Sha256};

/// What is locked, as the number that Postgres locks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lock(i64);

impl Lock {
    /// The application's reference: its registration and a callback that carries it.
    pub(super) fn reference(reference: &str) -> Self {
        Self::of(&["reference", reference])
    }

    /// The provider's id of a message that has a row per recipient: its registration and a further recipient's callback.
    pub(super) fn message(service_type: &str, account: &str, external_id: &str) -> Self {
        Self::of(&["message", service_type, account, external_id])
    }

    /// The parts of long messages from one sender to one recipient.
    pub(super) fn parts(service_type: &str, account: &str, sender: &str, recipient: &str) -> Self {
        Self::of(&["parts", service_type, account, sender, recipient])
    }

    /// The deletion of what has expired.
    pub(super) fn pruning() -> Self {
        Self::of(&["pruning"])
    }

    /// The number that Postgres locks by.
    pub(super) fn key(self) -> i64 {
        self.0
    }

    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let half = digest.get(..8).and_then(|half| half.try_into().ok()).unwrap_or_default();
        Self(i64::from_be_bytes(half))
    }
}

/// What holds locks until the end of its transaction.
pub(super) trait Locking {
    /// Takes the locks in their order, so that nobody waits in a circle. They come before any row is written.
    fn lock(&mut self, locks: &BTreeSet<Lock>) -> QueryResult<()>;
}
