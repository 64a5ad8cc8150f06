use super::record::StoredResponse;

/// The part of a request that was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It contained something new.
    New,
    /// Every event in it was known.
    KnownEvents,
    /// It is a copy of a known request.
    KnownRequest,
}

/// Proof that a record is committed, with the response to its first copy. Made after COMMIT, and only by this part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    pub(super) response: StoredResponse,
    pub(super) novelty: Novelty,
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
        self.novelty != Novelty::New
    }

    /// Returns true if no copy of the request was stored before, even if it contained nothing new.
    pub fn is_new_request(&self) -> bool {
        self.novelty != Novelty::KnownRequest
    }

    /// The outcome of a later copy of the request.
    #[must_use]
    pub fn as_copy(self) -> Self {
        Self { novelty: Novelty::KnownRequest, unmatched: false, ..self }
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
