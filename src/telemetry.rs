//! Logs: to standard error, one line per event, without bodies, header values, numbers, addresses or secrets.

use std::io::IsTerminal;

use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{config::LogConfig, http::PARSER_LOG, queue::broker::CLIENT_LOG};

/// Starts logging. A second call changes nothing.
pub fn start(log: LogConfig) {
    let is_terminal = std::io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal).with_target(false);
    let layer = if log.json { layer.json().boxed() } else { layer.boxed() };
    let filter = [PARSER_LOG, CLIENT_LOG]
        .into_iter()
        .fold(Targets::new().with_default(LevelFilter::from_level(log.level)), |filter, target| {
            filter.with_target(target, LevelFilter::OFF)
        });
    // It fails if a subscriber is already installed, as in tests.
    drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
}
