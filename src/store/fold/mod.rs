//! The rules by which events become rows. Each fold is commutative, associative and idempotent, so that all orders converge.

pub(crate) mod addresses;
pub(crate) mod call;
pub(crate) mod entity;
pub(crate) mod inbound_message;
pub(crate) mod match_strength;
pub(crate) mod message;
pub(crate) mod parts;
pub(crate) mod recipients;
pub(crate) mod room;
pub(crate) mod rule;
pub(crate) mod source;
pub(crate) mod suppression;
