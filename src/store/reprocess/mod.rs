//! Reprocessing of stored callbacks: replay applies quarantined ones, rederivation corrects what was derived from the others.

pub(crate) mod diff;
pub(crate) mod raw_request;
pub(crate) mod rebuild;
pub(crate) mod rederive;
pub(crate) mod replay;
mod request_events;
