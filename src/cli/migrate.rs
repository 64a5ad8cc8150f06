//! `waybill migrate`: applies the database migrations.

use clap::Args;

use super::{CommandError, load_config, print};
use crate::{config::Env, store};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only list the pending migrations.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let (names, verb) = if arguments.dry_run {
        (store::pending_migrations(&config.database)?, "pending")
    } else {
        (store::migrate(&config.database)?, "applied")
    };
    show(&names, verb);
    Ok(())
}

fn show(names: &[String], verb: &str) {
    if names.is_empty() {
        print("nothing to do: all migrations are applied");
    }
    for name in names {
        print(format_args!("{verb} {name}"));
    }
}
