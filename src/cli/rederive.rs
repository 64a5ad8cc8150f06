//! `waybill rederive`: parses stored callbacks again and rebuilds the message rows, after a parser was fixed. The difference is
//! shown first.

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::{CommandError, block_on, diff, lists, load_config, print, print_json, progress, router, with_store};
use crate::{
    config::Env,
    replay,
    router::Router,
    store::{RowDiff, Store},
    time::Timestamp,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Parse callbacks again that were received at this time or later, such as 2026-11-22T00:00:00Z.
    #[arg(long, value_parser = lists::instant)]
    since: Timestamp,
    /// Apply the difference after it is shown; nothing is changed without this option.
    #[arg(long)]
    yes: bool,
    /// Only show the difference (the default).
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Print the difference as JSON.
    #[arg(long)]
    json: bool,
}

/// Changed rows that are listed in the JSON output; all are counted and applied.
const MAX_LISTED: usize = 10_000;

/// The outcome, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
struct Report {
    applied: bool,
    /// Callbacks that were parsed again.
    requests: usize,
    /// Callbacks that cannot be parsed any more, of which the stored events are used.
    unread: usize,
    /// Messages that are left unchanged, because some of their events were deleted.
    incomplete: usize,
    /// Events that differ.
    events: usize,
    /// Messages that differ.
    messages: usize,
    changes: Vec<RowDiff>,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let mut config = load_config(env)?;
    let router = router(&mut config);
    let report = with_store(&config, |store| {
        let difference = pass(store, &router, arguments, true)?;
        if arguments.yes && difference.messages + difference.events > 0 {
            Ok(Report { changes: difference.changes, ..pass(store, &router, arguments, false)? })
        } else {
            Ok(difference)
        }
    })?;
    if arguments.json {
        return print_json(&report);
    }
    show(&report);
    Ok(())
}

fn show(Report { applied, requests, unread, incomplete, events, messages, .. }: &Report) {
    print(format_args!(
        "{requests} callbacks parsed again ({unread} of them only from their stored events): {events} events and {messages} messages differ."
    ));
    if *incomplete > 0 {
        print(format_args!("{incomplete} messages are left unchanged: some of their events were deleted."));
    }
    print(if *applied {
        "The difference was applied."
    } else if messages + events == 0 {
        "Nothing to change."
    } else {
        "Nothing was changed: apply the difference with `--yes`."
    });
}

/// Parses all callbacks again once; a dry run shows the difference.
fn pass(store: &Store, router: &Router, arguments: &Arguments, dry_run: bool) -> Result<Report, CommandError> {
    let mut report = Report { applied: !dry_run, ..Report::default() };
    let counter = progress::counter();
    let passed: Result<(), CommandError> = block_on(async {
        let mut after = 0;
        loop {
            let started = Instant::now();
            let Some(batch) = replay::rederive(store, router, arguments.since, after, dry_run).await? else { return Ok(()) };
            after = batch.last;
            report.requests += batch.requests;
            report.unread += batch.unread;
            report.incomplete += batch.outcome.incomplete;
            report.events += batch.outcome.events;
            report.messages += batch.outcome.changes.len();
            counter.inc(u64::try_from(batch.requests).unwrap_or(0));
            for change in batch.outcome.changes.into_iter().filter(|_| dry_run) {
                if !arguments.json {
                    counter.suspend(|| diff::show(&change));
                } else if report.changes.len() < MAX_LISTED {
                    report.changes.push(change);
                }
            }
            // Leaves the gateway's writer half of the time.
            tokio::time::sleep(started.elapsed()).await;
        }
    })?;
    counter.finish_and_clear();
    passed.map(|()| report)
}
