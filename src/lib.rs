//! Waybill: a webhook gateway for SMS and e-mail delivery callbacks.
//!
//! Reading order, along the path of a callback: [`http`] accepts the request, [`receive`] is the pipeline, [`signature`] verifies
//! the callback, a provider in [`providers`] parses it into events, and [`store`] commits them before the response is sent.
//! `ARCHITECTURE.md` has the diagram, the layers and the invariants.

pub mod address;
pub mod admission;
pub mod automation;
pub mod body_room;
pub mod build_info;
pub mod callback;
pub mod cli;
pub mod config;
pub mod current;
pub mod doctor;
pub mod endpoint;
pub mod endpoint_status;
pub mod env;
pub mod event;
pub mod explain;
pub mod fair_semaphore;
pub mod files;
pub mod fixture;
pub mod form;
pub mod forwarded;
pub mod gateway;
mod group;
pub mod guesses;
pub mod health;
pub mod http;
pub mod json;
pub mod limiter;
pub mod log_throttle;
pub mod login_link;
pub mod mask;
pub mod metrics;
pub mod network;
pub mod network_limiter;
pub mod ops_token;
mod outcomes;
pub mod prepared;
pub mod provider;
pub mod providers;
pub mod public_url;
pub mod queue;
pub mod receive;
pub mod rejections;
pub mod reload;
pub mod replay;
pub mod router;
pub mod secret;
pub mod signature;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod text;
mod threads;
pub mod time;
pub mod unknown_paths;
pub mod url_token;
pub mod verifier;

#[cfg(not(any(feature = "bundled-libpq", feature = "system-libpq")))]
compile_error!("choose how to link libpq: the default feature `bundled-libpq`, or `system-libpq`");
