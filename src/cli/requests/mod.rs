//! `waybill requests`: quarantined and rejected callbacks.

mod discard;
mod list;
mod replay;
mod selection;
mod show;

use clap::Subcommand;

use super::CommandError;
use crate::{config::Env, store::RequestState};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List requests, newest first.
    List(list::Arguments),
    /// Show one request with its body.
    Show(show::Arguments),
    /// Apply quarantined or rejected requests after the cause is fixed.
    Replay(selection::Arguments),
    /// Discard requests: quarantined ones stay stored as `discarded`, rejected ones are deleted.
    Discard(selection::Arguments),
}

/// The states of requests that need attention.
const PENDING: [RequestState; 2] = [RequestState::Quarantined, RequestState::Rejected];

pub(super) fn run(env: &Env, command: &Command) -> Result<(), CommandError> {
    match command {
        Command::List(arguments) => list::run(env, arguments),
        Command::Show(arguments) => show::run(env, arguments),
        Command::Replay(arguments) => replay::run(env, arguments),
        Command::Discard(arguments) => discard::run(env, arguments),
    }
}
