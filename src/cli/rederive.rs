//! `waybill rederive`: message rows made anew out of what is stored, after the reading was mended. The difference comes first.

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::{CommandError, attached, changes, endpoints, lists, print_json, progress, say, wait};
use crate::{
    config::Config,
    endpoints::Endpoints,
    replay,
    store::{Change, Store},
    time::Timestamp,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Callbacks received at this instant or later are read anew, such as 2026-11-22T00:00:00Z.
    #[arg(long, value_parser = lists::instant)]
    since: Timestamp,
    /// Apply the difference after it is shown; without it nothing is changed.
    #[arg(long)]
    yes: bool,
    /// Only show the difference, which is what happens without `--yes` too.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Print the difference as JSON.
    #[arg(long)]
    json: bool,
}

/// Changes that are listed as JSON; all are counted and applied.
const MAX_LISTED: usize = 10_000;

/// What reading anew came to.
#[derive(Debug, Default, Serialize)]
struct Report {
    applied: bool,
    /// Callbacks that were looked at.
    requests: usize,
    /// Of these, those that cannot be read any more: only their stored events count.
    unread: usize,
    /// Messages that are left as they are, because some of their events have been deleted.
    incomplete: usize,
    /// Events that differ.
    events: usize,
    /// Messages that differ.
    messages: usize,
    changes: Vec<Change>,
}

pub(super) fn run(config: Config, arguments: &Arguments) -> Result<(), CommandError> {
    let (database, options) = (config.database.clone(), config.store);
    let endpoints = endpoints(config);
    attached(&database, options, |store| {
        let difference = pass(store, &endpoints, arguments, true)?;
        let report = if arguments.yes && difference.messages + difference.events > 0 {
            Report { changes: difference.changes, ..pass(store, &endpoints, arguments, false)? }
        } else {
            difference
        };
        if arguments.json {
            return print_json(&report);
        }
        let Report { requests, unread, incomplete, events, messages, .. } = report;
        say(format_args!(
            "{requests} callbacks read anew ({unread} of them only by their stored events): {events} events and {messages} messages differ."
        ));
        if incomplete > 0 {
            say(format_args!("{incomplete} messages are left as they are: some of their events have been deleted."));
        }
        say(if report.applied {
            "The difference is applied."
        } else if messages + events == 0 {
            "There is nothing to change."
        } else {
            "Nothing is changed: `--yes` applies it."
        });
        Ok(())
    })
}

/// Reads everything anew once; the first time, which changes nothing, tells what differs.
fn pass(store: &Store, endpoints: &Endpoints, arguments: &Arguments, is_dry: bool) -> Result<Report, CommandError> {
    let mut report = Report { applied: !is_dry, ..Report::default() };
    let counter = progress::counter();
    let read: Result<(), CommandError> = wait(async {
        let mut after = 0;
        loop {
            let started = Instant::now();
            let Some(step) = replay::rederive(store, endpoints, arguments.since, after, is_dry).await? else { return Ok(()) };
            after = step.last;
            report.requests += step.requests;
            report.unread += step.unread;
            report.incomplete += step.rederived.incomplete;
            report.events += step.rederived.events;
            report.messages += step.rederived.changes.len();
            counter.inc(u64::try_from(step.requests).unwrap_or(0));
            for change in step.rederived.changes.into_iter().filter(|_| is_dry) {
                if !arguments.json {
                    counter.suspend(|| changes::show(&change));
                } else if report.changes.len() < MAX_LISTED {
                    report.changes.push(change);
                }
            }
            // The gateway's own writer gets as much of the database.
            tokio::time::sleep(started.elapsed()).await;
        }
    })?;
    counter.finish_and_clear();
    read.map(|()| report)
}
