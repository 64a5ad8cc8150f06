//! Correlation of providers' messages with the application's: matching, registration, and the sweep.

pub(crate) mod link;
pub(crate) mod matching;
pub(crate) mod registration;
pub(crate) mod scope;
pub(crate) mod sweep;
