//! Logs: to standard error, one line per event, without bodies, header values, numbers, addresses or secrets.

use std::io::IsTerminal;

use tracing_subscriber::{filter::LevelFilter, fmt};

use crate::config::LogConfig;

/// Starts logging. A second call changes nothing.
pub fn start(log: LogConfig) {
    let is_terminal = std::io::stderr().is_terminal();
    let builder = fmt()
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .with_max_level(LevelFilter::from_level(log.level))
        .with_target(false);
    // Failure means that a subscriber is installed already, as in tests.
    drop(if log.json { builder.json().try_init() } else { builder.try_init() });
}
