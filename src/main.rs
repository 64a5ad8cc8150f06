//! The `waybill` command: reads the process's environment and hands over.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use waybill::{
    cli::{self, Arguments},
    config::Env,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    let process = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    if arguments.ignores_env_file() {
        return cli::run(arguments, &process.collect());
    }
    match Env::read(Path::new(".env"), process) {
        Ok(env) => cli::run(arguments, &env),
        Err(error) => cli::configuration_failed(&error),
    }
}
