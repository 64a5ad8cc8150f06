//! Background work in short steps: retention, erasure, delivery deadlines, rejected requests, and derived tables.

mod audit;
pub(crate) mod batch_size;
mod clients;
pub(crate) mod data_subject;
pub(crate) mod derived;
pub(crate) mod erase;
mod escapes;
pub(crate) mod prune;
mod redact;
pub(crate) mod rejected_requests;
pub(crate) mod ring;
mod ring_shares;
mod sweep;
pub(crate) mod unconfirmed;
