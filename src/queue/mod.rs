//! The seam between receipt and store: what is acknowledged is durable, either in the database or in a queue that is drained into it.
//!
//! A queue holds [`QueuedRequest`]s, which are parsed again when they are drained. The key, the time of receipt and the response of a
//! request are kept, so that draining it twice changes nothing.

pub mod breaker;
pub mod broker;
pub mod drain;
mod durable;
pub mod intake;
pub mod recent;
mod request;
pub mod spool;

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use serde::Serialize;

pub use self::{
    broker::{BrokerOptions, Role},
    durable::{Durable, Queued},
    intake::{Intake, NotDurable, QueueStartError, Way},
    request::{QueuedRequest, Unreadable},
};
use crate::time::Timestamp;

/// A durable queue in front of the database.
pub trait Queue: Send + Sync {
    /// Stores a request, and counts it. Resolves once it is durable, and only then with success.
    fn append(&self, request: QueuedRequest) -> BoxFuture<'_, Result<Queued, QueueError>>;

    /// True if half of its room is used. Does not block.
    fn is_filling(&self) -> bool {
        let state = self.state();
        state.max_bytes > 0 && state.bytes >= state.max_bytes / 2
    }

    /// True while requests wait to be drained, except those that the database has rejected. Does not block.
    fn has_backlog(&self) -> bool {
        self.state().pending > 0
    }

    /// Its state for monitoring, at most about a second old. Does not block.
    fn state(&self) -> QueueState;

    /// Stops it. What is not drained remains in it. Blocks.
    fn close(&self);
}

/// A request was not queued, or it is unknown whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// Too many requests are waiting to be queued.
    #[error("too many requests are waiting for the queue")]
    Busy,
    /// The queue has reached its limit.
    #[error("the queue is full")]
    Full,
    #[error("the queue is unavailable")]
    Unavailable,
}

/// The state of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct QueueState {
    /// Acknowledged requests that are not in the database yet.
    pub pending: u64,
    /// The time of receipt of the oldest of them.
    pub oldest: Option<Timestamp>,
    pub bytes: u64,
    /// The limit on them; 0 if it is unknown.
    pub max_bytes: u64,
    /// True while it accepts no request.
    pub is_failing: bool,
    /// Files that hold acknowledged requests and cannot be read.
    pub unreadable_files: u64,
    /// Messages that no writer of this version can store. They are not among the pending ones.
    pub dead_messages: u64,
}

/// The queue of a gateway, and its way there.
#[derive(Clone, Debug, Default)]
pub enum QueueOptions {
    #[default]
    None,
    Spool(SpoolOptions),
    Broker(BrokerOptions),
}

/// The kind of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    Spool(SpoolMode),
    Broker,
}

impl QueueOptions {
    /// The kind of the queue, if there is one.
    pub fn kind(&self) -> Option<QueueKind> {
        match self {
            Self::None => None,
            Self::Spool(options) => Some(QueueKind::Spool(options.mode)),
            Self::Broker(_) => Some(QueueKind::Broker),
        }
    }

    /// The part of this process. Only a broker divides them.
    pub fn role(&self) -> Role {
        match self {
            Self::Broker(options) => options.role,
            Self::None | Self::Spool(_) => Role::All,
        }
    }
}

impl QueueKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spool(_) => "spool",
            Self::Broker => "broker",
        }
    }

    /// The mode of a spool.
    pub fn mode(self) -> Option<&'static str> {
        match self {
            Self::Spool(mode) => Some(mode.into()),
            Self::Broker => None,
        }
    }

    /// True if the queue takes callbacks only while the database is unavailable.
    pub fn is_fallback(self) -> bool {
        matches!(self, Self::Spool(SpoolMode::Outage))
    }
}

/// The spool: a folder on a local disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    pub folder: PathBuf,
    pub mode: SpoolMode,
    /// The limit on the size of all its files.
    pub max_bytes: u64,
}

/// The time at which callbacks go to the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum SpoolMode {
    /// While the database is unavailable.
    Outage,
    /// Always.
    Always,
}
