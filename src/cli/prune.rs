//! `waybill prune`: what a running gateway does by itself every hour, now.

use clap::Args;

use super::{CommandError, attached, print_json, progress, say, wait};
use crate::{config::Config, store::Pruned, time::Clock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only count what would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<(), CommandError> {
    let retention = config.store.retention;
    let counter = progress::counter();
    let tell = |Pruned { bodies, events, requests }| counter.set_position(bodies + events + requests);
    let pruned = attached(&config.database, config.store, |store| {
        wait(store.prune(Clock::System.now(), arguments.dry_run, tell))?.map_err(Into::into)
    })?;
    counter.finish_and_clear();
    if arguments.json {
        return print_json(&pruned);
    }
    let Pruned { bodies, events, requests } = pruned;
    let verb = if arguments.dry_run { "would be deleted" } else { "deleted" };
    say(format_args!("{bodies} bodies, {events} events, {requests} requests {verb}."));
    if retention.events.is_none() {
        say("Events and requests are kept for ever (EVENT_RETENTION_DAYS).");
    }
    Ok(())
}
