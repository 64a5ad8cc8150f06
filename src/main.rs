//! The `waybill` command: reads the process's environment and runs the command line.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use mimalloc::MiMalloc;
use waybill::{
    cli::{self, Arguments},
    config::Env,
    files,
};

/// Fast where one thread allocates what another frees, as a gateway does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if !arguments.writes_public_files() {
        files::restrict_new_files();
    }
    arguments.program = std::env::args_os().next().and_then(|name| name.into_string().ok()).unwrap_or(arguments.program);
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    let process = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    if arguments.ignores_env_file() {
        return cli::run(&arguments, &process.collect());
    }
    match Env::read(Path::new(".env"), process) {
        Ok(env) => cli::run(&arguments, &env),
        Err(error) => cli::configuration_failed(&error),
    }
}
