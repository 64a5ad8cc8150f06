//! The outcome of a request.

use strum::{IntoStaticStr, VariantArray, VariantNames};

/// The outcome of a request; each has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Stored, with at least one new event.
    Accepted,
    /// Known before, or without a new event.
    Duplicate,
    /// Verified and stored, but not applied.
    Quarantined,
    /// Nothing to apply: a probe, a challenge, or a document that was fetched.
    Ignored,
    /// Not verified.
    Rejected(RejectedCause),
    Failed(FailedCause),
}

/// The cause of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedCause {
    /// Verification failed, with the error's label.
    NotVerified(&'static str),
    /// Its client's address is not in the endpoint's list.
    Forbidden,
    /// Its network has sent too many requests that were rejected.
    Limited,
}

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailedCause {
    /// Its body, its URL or its headers are over a limit.
    TooLarge,
    /// Its body did not arrive in time.
    Slow,
    /// Its body is incomplete or malformed.
    Malformed,
    /// Its body is compressed.
    Encoded,
    /// Verified, but over the endpoint's rate limit.
    RateLimited,
    /// The bodies in progress take all the room, or too many wait to be verified.
    Overloaded,
    /// The writer's queue is full.
    Busy,
    /// Not durable before the deadline.
    Timeout,
    /// The database refused it or is unavailable.
    Database,
    /// The queue in front of the database is full or unavailable.
    Queue,
    /// A bug, caught.
    Panic,
    /// The client closed the connection before the response.
    Aborted,
}

impl RejectedCause {
    /// The causes that are no error of verification.
    pub(super) const OTHERS: [Self; 2] = [Self::Forbidden, Self::Limited];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotVerified(cause) => cause,
            Self::Forbidden => "forbidden",
            Self::Limited => "limited",
        }
    }
}
