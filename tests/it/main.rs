//! Everything that is more than a case.

#[path = "../support/mod.rs"]
mod support;
