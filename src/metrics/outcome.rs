//! What becomes of a request: exactly one of these.

use strum::{IntoStaticStr, VariantArray, VariantNames};

use crate::{
    provider::Reply,
    receive::{Received, Refusal},
    signature::Rejected,
    store::StoreError,
};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Stored, and something in it was new.
    Accepted,
    /// Nothing in it was new.
    Duplicate,
    /// Authentic and kept, and not applied.
    Quarantined,
    /// Nothing to apply: a probe, or the fetch of a document.
    Ignored,
    /// Not authentic.
    Rejected(RejectedCause),
    /// It could not be taken.
    Failed(FailedCause),
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedCause {
    /// It does not prove that it is genuine.
    NotGenuine(Rejected),
    /// Its client's address is not in the endpoint's list.
    Forbidden,
    /// Its network has sent too many that are not genuine.
    Limited,
}

/// Why a request could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailedCause {
    /// Its body, its URL or its headers are over a limit.
    TooLarge,
    /// Its body did not come in time.
    Slow,
    /// Its body broke off or cannot be read off the wire.
    Malformed,
    /// Its body is compressed.
    Encoded,
    /// It is genuine, and one too many.
    RateLimited,
    /// The bodies in work take all the room.
    Overloaded,
    /// Too many requests wait for the database.
    Busy,
    /// It was not durable in time.
    Timeout,
    /// The database does not take it.
    Database,
    /// A bug, caught.
    Panic,
    /// The client hung up before there was an answer.
    Aborted,
}

impl RejectedCause {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotGenuine(rejected) => rejected.into(),
            Self::Forbidden => "forbidden",
            Self::Limited => "limited",
        }
    }
}

impl From<&Result<Received, Refusal>> for Outcome {
    fn from(result: &Result<Received, Refusal>) -> Self {
        match result {
            Ok(Received { reply: Reply::Document(_), .. }) | Err(Refusal::Rejected(Rejected::Probe)) => Self::Ignored,
            Ok(Received { committed, .. }) if committed.is_duplicate() => Self::Duplicate,
            Ok(Received { committed, .. }) if committed.is_quarantined() => Self::Quarantined,
            Ok(_) => Self::Accepted,
            Err(Refusal::Rejected(rejected)) => Self::Rejected(RejectedCause::NotGenuine(*rejected)),
            Err(Refusal::Limited(_)) => Self::Failed(FailedCause::RateLimited),
            Err(Refusal::NotStored(StoreError::Busy)) => Self::Failed(FailedCause::Busy),
            Err(Refusal::NotStored(_)) => Self::Failed(FailedCause::Database),
            Err(Refusal::Late) => Self::Failed(FailedCause::Timeout),
        }
    }
}
