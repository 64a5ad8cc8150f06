//! The two listeners. Only this module names actix.

mod answer;
mod health;
mod inbound;
mod messages;
mod ops;
mod server;

pub use server::{Running, Server, StartError};

/// The path of the health document on the public listener.
pub const HEALTH_PATH: &str = "/webhooks/health";
