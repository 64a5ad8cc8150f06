//! Unique keys of requests, events and messages.

use sha2::{Digest, Sha256};

/// The unique key of a request, or of an event that its sender identifies.
pub(crate) type ShortKey = [u8; 16];

/// Derives the database-wide key from a key that is unique at one endpoint.
pub(crate) fn short_key(service_type: &str, account: &str, key: &[u8]) -> ShortKey {
    // Neither name contains a NUL.
    let hash =
        Sha256::new().chain_update(service_type).chain_update([0]).chain_update(account).chain_update([0]).chain_update(key);
    truncated_hash(hash)
}

/// The first 16 bytes of a SHA-256 hash.
pub(crate) fn truncated_hash(hash: Sha256) -> ShortKey {
    let digest: [u8; 32] = hash.finalize().into();
    let mut key = ShortKey::default();
    key.iter_mut().zip(digest).for_each(|(byte, digit)| *byte = digit);
    key
}

/// The unique key of a message's row, in the column order of its index, which is the order in which rows are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, diesel::Queryable)]
pub(crate) struct MessageKey {
    pub(crate) external_id: String,
    pub(crate) service_type: String,
    pub(crate) account: String,
    /// Empty if all recipients share a row.
    pub(crate) recipient_key: String,
}

impl MessageKey {
    pub(crate) fn new(service_type: &str, account: &str, external_id: &str, recipient_key: &str) -> Self {
        let [service_type, account, external_id, recipient_key] =
            [service_type, account, external_id, recipient_key].map(str::to_owned);
        Self { external_id, service_type, account, recipient_key }
    }

    /// The key without the recipient, which all rows of one external id have in common.
    pub(crate) fn shared(&self) -> Self {
        Self { recipient_key: String::new(), ..self.clone() }
    }

    pub(crate) fn has_same_id(&self, id: &Self) -> bool {
        self.external_id == id.external_id && self.service_type == id.service_type && self.account == id.account
    }
}

/// Selects the rows with a key's provider, account and external id.
macro_rules! with_id {
    ($table:ident, $key:expr) => {
        $table::table
            .filter($table::external_id.eq(&$key.external_id))
            .filter($table::service_type.eq(&$key.service_type))
            .filter($table::account.eq(&$key.account))
    };
}
pub(crate) use with_id;

/// Selects the message row with a key.
macro_rules! with_key {
    ($table:ident, $key:expr) => {
        $crate::store::db::key::with_id!($table, $key).filter($table::recipient_key.eq(&$key.recipient_key))
    };
}
pub(crate) use with_key;
