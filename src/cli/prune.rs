//! `waybill prune`: deletes expired rows, as a running gateway does every hour.

use clap::Args;

use super::{CommandError, block_on, load_config, print, print_json, progress, with_store};
use crate::{
    config::Env,
    store::{PruneCounts, Retention},
    time::Clock,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only count the rows that would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let retention = config.store.retention;
    let counter = progress::counter();
    let show_progress = |PruneCounts { bodies, events, requests }| counter.set_position(bodies + events + requests);
    let pruned = with_store(&config, |store| {
        block_on(store.prune(Clock::System.now(), arguments.dry_run, show_progress))?.map_err(Into::into)
    })?;
    counter.finish_and_clear();
    if arguments.json {
        return print_json(&pruned);
    }
    show(pruned, arguments.dry_run, retention);
    Ok(())
}

fn show(PruneCounts { bodies, events, requests }: PruneCounts, dry_run: bool, retention: Retention) {
    let verb = if dry_run { "would be deleted" } else { "deleted" };
    print(format_args!("{bodies} bodies, {events} events, {requests} requests {verb}."));
    if retention.events.is_none() {
        print("Events and requests are retained forever (EVENT_RETENTION_DAYS).");
    }
}
