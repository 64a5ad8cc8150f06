//! Waybill: the inbound webhook gateway behind delivery callbacks of SMS and e-mail providers.
//!
//! Reading order, which is the way of a callback: [`http`] takes the request, [`receive`] is the pipeline, [`signature`]
//! proves it genuine, a provider in [`providers`] reads its events, [`store`] makes them durable and only then there is an
//! answer. `ARCHITECTURE.md` has the picture and the invariants.

pub mod address;
pub mod advice;
pub mod callback;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod endpoint;
pub mod endpoints;
pub mod errors;
pub mod event;
pub mod explain;
pub mod fixture;
pub mod form;
pub mod gateway;
pub mod health;
pub mod http;
pub mod json;
pub mod limiter;
pub mod metrics;
pub mod ops_token;
pub mod person;
pub mod provider;
pub mod providers;
pub mod public_url;
pub mod receive;
pub mod rejections;
pub mod replay;
pub mod secret;
pub mod signature;
pub mod silence;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod time;

#[cfg(not(any(feature = "bundled-libpq", feature = "system-libpq")))]
compile_error!("choose how to link libpq: the default feature `bundled-libpq`, or `system-libpq`");
