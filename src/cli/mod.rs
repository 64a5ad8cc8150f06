//! The command line: one file per command, each with its arguments, its work and its output.

mod audit;
mod check;
mod completions;
mod demo;
mod diff;
mod draft;
mod erase;
mod error;
mod explain;
mod lists;
mod man;
mod messages;
mod migrate;
mod openapi;
mod output;
mod progress;
mod prune;
mod rederive;
mod reload;
mod requests;
mod sender;
mod serve;
mod signed_copies;
mod simulate;
mod spool;
mod suppressions;
mod table;
mod work;

use std::{fmt::Display, process::ExitCode};

use clap::{Parser, Subcommand};

use self::{
    error::{CommandError, exit_status},
    output::{print, print_bytes, print_error, print_json},
    work::{attach, author, block_on, load_config, random, router, with_store},
};
use crate::{build_info::VERSION, config::Env};

/// Inbound webhook gateway for SMS and e-mail delivery callbacks.
#[derive(Debug, Parser)]
#[command(version, long_version = VERSION.as_str(), about, after_help = exit_status())]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The name by which the program was called, for commands to try.
    #[arg(skip = "waybill")]
    pub program: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway; migrates the database first.
    Serve(serve::Arguments),
    /// Start a gateway with temporary secrets, send it signed callbacks of every provider, and show the results.
    Demo(demo::Arguments),
    /// Validate the configuration: report every problem, the URLs to paste at the providers, and the causes of recent rejections.
    Check(check::Arguments),
    /// Apply the database migrations.
    Migrate(migrate::Arguments),
    /// Send signed callbacks to a running gateway.
    Simulate(simulate::Arguments),
    /// Show the status table, newest first.
    Messages(messages::Arguments),
    /// Show recipients to whom no message should be sent: opt-outs, complaints, hard bounces, and suppressions at the provider.
    Suppressions(suppressions::Arguments),
    /// Show the history of one message: each event, its effect on the status with the reason, and its raw callback.
    Explain(explain::Arguments),
    /// List, show, replay or discard callbacks that were not applied.
    #[command(subcommand)]
    Requests(requests::Command),
    /// Rebuild message rows from stored callbacks and events; shows the difference first.
    Rederive(rederive::Arguments),
    /// Show the files of the spool, and the callbacks in them that are not in the tables yet.
    Spool(spool::Arguments),
    /// Delete expired rows: raw bodies after `RETENTION_DAYS`, events after `EVENT_RETENTION_DAYS`.
    Prune(prune::Arguments),
    /// Erase a person's data from every table, by phone number or e-mail address.
    Erase(erase::Arguments),
    /// Show the changes made by hand: replays, discards, erasures, registrations and reloads, newest first.
    Audit(audit::Arguments),
    /// Check the configuration, and let the running gateway read its own again: secrets, endpoints, lists of addresses, tokens.
    Reload(reload::Arguments),
    /// Print the `OpenAPI` document of the ops API.
    Openapi,
    /// Print the completion script of a shell.
    Completions(completions::Arguments),
    /// Print the manual page, or write one page per command into a folder.
    Man(man::Arguments),
}

impl Arguments {
    /// True for a command whose files are for all users: the manual pages.
    pub fn writes_public_files(&self) -> bool {
        matches!(self.command, Command::Man(_))
    }

    /// True for commands that need no configuration. `demo` must not write to the configured database.
    pub fn ignores_env_file(&self) -> bool {
        match &self.command {
            Command::Demo(_) | Command::Completions(_) | Command::Man(_) | Command::Openapi => true,
            Command::Simulate(arguments) => arguments.is_list(),
            _ => false,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments, env: &Env) -> ExitCode {
    let result = match &arguments.command {
        Command::Serve(arguments) => serve::run(env, arguments),
        Command::Demo(demo) => demo::run(env, &arguments.program, demo),
        Command::Check(arguments) => check::run(env, arguments),
        Command::Migrate(arguments) => migrate::run(env, arguments),
        Command::Simulate(arguments) => simulate::run(env, arguments),
        Command::Messages(arguments) => messages::run(env, arguments),
        Command::Suppressions(arguments) => suppressions::run(env, arguments),
        Command::Explain(arguments) => explain::run(env, arguments),
        Command::Requests(command) => requests::run(env, command),
        Command::Rederive(arguments) => rederive::run(env, arguments),
        Command::Spool(arguments) => spool::run(env, arguments),
        Command::Prune(arguments) => prune::run(env, arguments),
        Command::Erase(arguments) => erase::run(env, arguments),
        Command::Audit(arguments) => audit::run(env, arguments),
        Command::Reload(arguments) => reload::run(env, arguments),
        Command::Openapi => openapi::run(),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man(arguments) => man::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            error.code()
        }
    }
}

/// Reports an environment that cannot be read.
pub fn configuration_failed(error: &dyn Display) -> ExitCode {
    print_error(&format_args!("the configuration has problems:\n{error}"));
    CommandError::Invalid.code()
}
