//! Errors of commands, and their exit codes.

use std::process::ExitCode;

use super::spool;
use crate::{config::Problems, http::StartError, store::StoreError};

const USAGE: u8 = 2;
const UNDRAINED: u8 = 3;
const UNAVAILABLE: u8 = 75;
const CONFIGURATION: u8 = 78;

/// The exit codes and their meaning, for `--help` and the manual page.
pub(super) const EXIT_STATUS: [(u8, &str); 6] = [
    (0, "done"),
    (1, "failed"),
    (USAGE, "wrong usage"),
    (
        UNDRAINED,
        "`erase`: done in the tables, but the spool of this host still has callbacks; run it again once they are drained",
    ),
    (UNAVAILABLE, "the database or the broker is unavailable; try again later"),
    (CONFIGURATION, "the configuration has problems"),
];

/// The exit codes for `--help`.
pub(super) fn exit_status() -> String {
    EXIT_STATUS.iter().fold("Exit status:".to_owned(), |text, (code, meaning)| format!("{text}\n  {code:2}  {meaning}"))
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the configuration has problems:\n{0}")]
    Configuration(Problems),
    /// `check` has printed the problems.
    #[error("the configuration has problems")]
    Invalid,
    /// The command line names something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// The person's data may be in the spool, from which nothing can be erased.
    #[error(
        "{0}; erased from the tables only: these callbacks may have data of the person, so run this again once they are drained"
    )]
    Undrained(spool::Undrained),
    /// The broker cannot be reached, or not be used.
    #[error("{0}")]
    Broker(String),
    #[error("{0}")]
    Other(String),
}

impl CommandError {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Store(StoreError::Unavailable) | Self::Start(StartError::Store(StoreError::Unavailable)) | Self::Broker(_) => {
                ExitCode::from(UNAVAILABLE)
            }
            Self::Store(error) | Self::Start(StartError::Store(error)) if error.is_locked() => ExitCode::from(UNAVAILABLE),
            Self::Start(StartError::Queue(error)) if error.is_of_configuration() => ExitCode::from(CONFIGURATION),
            Self::Store(StoreError::Permissions(_))
            | Self::Start(StartError::Store(StoreError::Permissions(_)))
            | Self::Configuration(_)
            | Self::Invalid => ExitCode::from(CONFIGURATION),
            Self::Usage(_) => ExitCode::from(USAGE),
            Self::Undrained(_) => ExitCode::from(UNDRAINED),
            Self::Start(_) | Self::Store(_) | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}
