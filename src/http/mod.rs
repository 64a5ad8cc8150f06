//! The public listener and the ops listener. Only this module depends on actix.

mod api;
mod api_error;
mod background;
mod base_path;
mod body;
mod client_address;
mod connection;
mod credentials;
mod guess;
mod health;
mod isolation;
mod metrics;
mod offload;
mod openapi;
mod ops;
mod pages;
mod query;
mod queued;
mod response;
mod routes;
mod server;
mod webhooks;

pub use openapi::{document as openapi, routes};
pub use pages::ROUTES as PAGE_ROUTES;
pub use server::{Running, Server, StartError};

/// Log target of actix's HTTP parser, which logs every malformed request as an error. In our log an error is a fault of the gateway.
pub(crate) const PARSER_LOG: &str = "actix_http::h1";
