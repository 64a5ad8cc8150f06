use super::record::StoredResponse;

/// Proof that a record is committed, with the response to its first copy. Made after COMMIT, and only by this part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    pub(super) response: StoredResponse,
    pub(super) duplicate: bool,
    pub(super) unmatched: bool,
    pub(super) quarantined: bool,
}

impl Committed {
    /// The response to this request and to all its retries.
    pub fn response(&self) -> StoredResponse {
        self.response
    }

    /// Returns true if the request contained nothing new.
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// Returns true if it refers to messages none of which the application has registered.
    pub fn is_unmatched(&self) -> bool {
        self.unmatched
    }

    /// Returns true if it is stored without being applied.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }
}
