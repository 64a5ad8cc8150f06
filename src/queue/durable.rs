//! Proof that a request is durable.

use super::QueuedRequest;
use crate::store::{Committed, StoredResponse};

/// Proof that a request is durable; the only thing from which a success is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// In the database.
    Committed(Committed),
    /// In a queue that is drained into the database.
    Queued(Queued),
}

/// Proof that a request is durable in a queue. Made after the queue has confirmed it, and only by [`crate::queue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    response: StoredResponse,
    is_copy: bool,
    is_quarantined: bool,
}

impl Queued {
    /// The proof for a request that is durable now. `is_copy` is true if the queue knows that it had it before.
    pub(super) fn new(request: &QueuedRequest, is_copy: bool) -> Self {
        Self { response: request.response(), is_copy, is_quarantined: request.is_quarantined() }
    }

    /// True if the queue knows that it had the request before.
    pub(super) fn is_copy(self) -> bool {
        self.is_copy
    }

    #[cfg(test)]
    pub(super) fn for_test() -> Self {
        Self { response: StoredResponse::Success, is_copy: false, is_quarantined: false }
    }
}

impl Durable {
    /// The response to this request and to all its retries.
    pub fn response(&self) -> StoredResponse {
        match self {
            Self::Committed(committed) => committed.response(),
            Self::Queued(queued) => queued.response,
        }
    }

    /// Returns true if the request is known to contain nothing new.
    pub fn is_duplicate(&self) -> bool {
        match self {
            Self::Committed(committed) => committed.is_duplicate(),
            Self::Queued(queued) => queued.is_copy,
        }
    }

    /// Returns true unless a copy of the request is known to be stored before, even if it contained nothing new.
    pub fn is_new_request(&self) -> bool {
        match self {
            Self::Committed(committed) => committed.is_new_request(),
            Self::Queued(queued) => !queued.is_copy,
        }
    }

    /// The outcome of a later copy of the request.
    #[must_use]
    pub fn as_copy(self) -> Self {
        match self {
            Self::Committed(committed) => Self::Committed(committed.as_copy()),
            Self::Queued(queued) => Self::Queued(Queued { is_copy: true, ..queued }),
        }
    }

    /// Returns true if it is known to refer to messages none of which the application has registered.
    pub fn is_unmatched(&self) -> bool {
        matches!(self, Self::Committed(committed) if committed.is_unmatched())
    }

    /// Returns true if it is stored without being applied.
    pub fn is_quarantined(&self) -> bool {
        match self {
            Self::Committed(committed) => committed.is_quarantined(),
            Self::Queued(queued) => queued.is_quarantined,
        }
    }
}
