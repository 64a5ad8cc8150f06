//! The command line. Exit codes: 0 done, 1 failed, 2 usage, 75 database away, 78 configuration.

mod changes;
mod check;
mod copies;
mod demo;
mod erase;
mod explain;
mod lists;
mod messages;
mod migrate;
mod progress;
mod prune;
mod rederive;
mod requests;
mod sender;
mod serve;
mod shell;
mod simulate;
mod table;

use std::{fmt::Display, process::ExitCode};

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::{
    config::{Config, DatabaseUrl, Env, Loaded, Problems},
    endpoints::Endpoints,
    http::StartError,
    public_url::PublicUrl,
    store::{self, Store, StoreError},
    text,
};

/// What `--help` and the man page say about exit codes.
const EXIT_STATUS: &str = "\
Exit status:
   0  done
   1  failed
   2  wrong usage
  75  the database is away; try again later
  78  the configuration has problems";

/// Inbound webhook gateway for SMS and e-mail delivery callbacks.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_STATUS)]
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
    /// Check the configuration, name every problem at once, and show the URLs to paste at the providers, and why callbacks were
    /// refused of late.
    Check {
        /// Print `{valid, errors, warnings, urls, findings}` as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Apply the database migrations.
    Migrate {
        /// Only list what would be applied.
        #[arg(long)]
        dry_run: bool,
    },
    /// Send correctly signed callbacks to a running gateway.
    Simulate(simulate::Arguments),
    /// Show the status table, newest first.
    Messages(messages::Arguments),
    /// Tell the whole story of one message: each event, what it did to the status and why, and where its raw callback is.
    Explain(explain::Arguments),
    /// List, show, replay or discard callbacks that were not applied.
    #[command(subcommand)]
    Requests(requests::Command),
    /// Make message rows anew out of what is stored; shows the difference first.
    Rederive(rederive::Arguments),
    /// Delete what has expired: raw bodies after `RETENTION_DAYS`, events after `EVENT_RETENTION_DAYS`.
    Prune(prune::Arguments),
    /// Erase a person: their number or address, and whatever tells of them, in every table.
    Erase(erase::Arguments),
    /// Print the description of the HTTP interface for operations (`OpenAPI`).
    Openapi,
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

impl Arguments {
    /// Whether the command takes nothing from `.env`: a demonstration must not write into the database of a configured folder.
    pub fn ignores_env_file(&self) -> bool {
        match &self.command {
            Command::Demo { .. } | Command::Completions { .. } | Command::Man | Command::Openapi => true,
            Command::Simulate(arguments) => arguments.is_list(),
            _ => false,
        }
    }
}

const USAGE: u8 = 2;
const DATABASE_AWAY: u8 = 75;
const CONFIGURATION: u8 = 78;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the configuration has problems:\n{0}")]
    Configuration(Problems),
    /// The command line asks for what there is not.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Other(String),
}

impl CommandError {
    fn code(&self) -> ExitCode {
        match self {
            Self::Store(StoreError::Unavailable) | Self::Start(StartError::Store(StoreError::Unavailable)) => {
                ExitCode::from(DATABASE_AWAY)
            }
            Self::Configuration(_) => ExitCode::from(CONFIGURATION),
            Self::Usage(_) => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the command.
pub fn run(arguments: Arguments, env: &Env) -> ExitCode {
    let result = match arguments.command {
        Command::Demo { exit } => demo::run(env, exit),
        Command::Check { json } => return check::run(env, json),
        Command::Simulate(arguments) => simulate::run(env, &arguments),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man => shell::manual(),
        Command::Explain(arguments) => configured(env).and_then(|config| explain::run(&config, &arguments)),
        Command::Messages(arguments) => configured(env).and_then(|config| messages::run(&config, arguments)),
        Command::Requests(command) => configured(env).and_then(|config| requests::run(config, command)),
        Command::Openapi => print_json(&crate::http::openapi()),
        Command::Rederive(arguments) => configured(env).and_then(|config| rederive::run(config, &arguments)),
        Command::Prune(arguments) => configured(env).and_then(|config| prune::run(&config, &arguments)),
        Command::Erase(arguments) => erase::run(env, &arguments),
        Command::Serve => configured(env).and_then(serve::run),
        Command::Migrate { dry_run } => configured(env).and_then(|config| migrate::run(&config, dry_run)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.code()
        }
    }
}

/// The configuration, with its warnings in the log.
fn configured(env: &Env) -> Result<Config, CommandError> {
    let Loaded { config, warnings } = Config::load(env).map_err(CommandError::Configuration)?;
    crate::telemetry::start(config.log);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Says what is wrong with the configuration.
pub fn configuration_failed(problems: &dyn Display) -> ExitCode {
    complain(&format_args!("the configuration has problems:\n{problems}"));
    ExitCode::from(CONFIGURATION)
}

/// Does something with the database beside a gateway that may be running, and lets what is queued be written.
fn attached<T>(
    database: &DatabaseUrl,
    options: store::Options,
    work: impl FnOnce(&Store) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let store = Store::attach(database, options)?;
    let outcome = work(&store);
    store.close();
    outcome
}

/// The endpoints as the gateway has them.
fn endpoints(config: Config) -> Endpoints {
    Endpoints::new(config.endpoints, PublicUrl::of_listener(config.listen))
}

/// Prints a result for programs.
fn print_json(result: &impl Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(result).map_err(|error| CommandError::Other(error.to_string()))?;
    // Escaped, a program reads what was there.
    say(text::without_control(&json, |control| format!("\\u{:04x}", u32::from(control))));
    Ok(())
}

/// Waits for something that takes its time.
fn wait<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    Ok(runtime.map_err(|error| CommandError::Other(error.to_string()))?.block_on(future))
}

/// Bytes that nobody can foresee.
fn random<const N: usize>() -> Result<[u8; N], CommandError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes).map_err(|error| CommandError::Other(error.to_string()))
}

#[expect(clippy::print_stderr, reason = "a command's complaint belongs on standard error")]
fn complain(what: &dyn Display) {
    eprintln!("waybill: {what}");
}

#[expect(clippy::print_stdout, reason = "a command's result belongs on standard output")]
fn say(what: impl Display) {
    // Much of it was written by strangers, who must not drive the terminal.
    println!("{}", text::without_control(&what.to_string(), |_| "\u{FFFD}".to_owned()));
}
