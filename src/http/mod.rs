//! The two listeners. Only this module names actix.

mod answer;
mod api;
mod health;
mod inbound;
mod metrics;
mod openapi;
mod ops;
mod pages;
mod problem;
mod routes;
mod server;
mod stock;

pub use openapi::{document as openapi, routes};
pub use server::{Running, Server, StartError};

/// The path of the health document on the public listener.
pub const HEALTH_PATH: &str = "/webhooks/health";

/// Where actix calls every malformed request of a stranger an error. An error in the log is to be a failure of ours.
pub(crate) const PARSER_LOG: &str = "actix_http::h1";
