//! The command line. Exit codes: 0 done, 1 failed, 2 usage, 75 database away, 78 configuration.

mod check;
mod demo;
mod migrate;
mod serve;
mod table;

use std::{fmt::Display, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, Env, Loaded},
    http::StartError,
    store::StoreError,
};

/// Inbound webhook gateway for SMS and e-mail delivery callbacks.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway; migrates the database first.
    Serve,
    /// See it work: sends signed callbacks of every provider to a gateway with throw-away secrets, and shows the status table.
    Demo {
        /// Stop after the table instead of going on serving.
        #[arg(long)]
        exit: bool,
    },
    /// Check the configuration, name every problem at once, and show the URLs to paste at the providers.
    Check {
        /// Print `{valid, errors, warnings, urls}` as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Apply the database migrations.
    Migrate {
        /// Only list what would be applied.
        #[arg(long)]
        dry_run: bool,
    },
}

impl Arguments {
    /// Whether the command takes nothing from `.env`: a demonstration must not write into the database of a configured folder.
    pub fn ignores_env_file(&self) -> bool {
        matches!(self.command, Command::Demo { .. })
    }
}

const DATABASE_AWAY: u8 = 75;
const CONFIGURATION: u8 = 78;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Other(String),
}

impl CommandError {
    fn code(&self) -> ExitCode {
        match self {
            Self::Store(StoreError::Unavailable) | Self::Start(StartError::Store(StoreError::Unavailable)) => {
                ExitCode::from(DATABASE_AWAY)
            }
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments, env: &Env) -> ExitCode {
    let result = match arguments.command {
        Command::Demo { exit } => demo::run(env, exit),
        Command::Check { json } => return check::run(env, json),
        Command::Serve | Command::Migrate { .. } => match Config::load(env) {
            Ok(loaded) => {
                crate::telemetry::start(loaded.config.log);
                warn(&loaded);
                match arguments.command {
                    Command::Migrate { dry_run } => migrate::run(&loaded.config, dry_run),
                    _ => serve::run(loaded.config),
                }
            }
            Err(problems) => return configuration_failed(&problems),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.code()
        }
    }
}

/// Says what is wrong with the configuration.
pub fn configuration_failed(problems: &dyn Display) -> ExitCode {
    complain(&format_args!("the configuration has problems:\n{problems}"));
    ExitCode::from(CONFIGURATION)
}

fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

#[expect(clippy::print_stderr, reason = "a command's complaint belongs on standard error")]
fn complain(what: &dyn Display) {
    eprintln!("waybill: {what}");
}

#[expect(clippy::print_stdout, reason = "a command's result belongs on standard output")]
fn say(what: impl Display) {
    println!("{what}");
}
