//! The requests that `replay` and `discard` process, by id or all of one state.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::{
    super::{CommandError, diff, print, print_json, progress},
    PENDING,
};
use crate::{
    replay::Replayed,
    store::{RequestFilter, RequestId, RequestState, Store},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The ids, such as 12, or r12 for a rejected request.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = RequestId::from_str)]
    ids: Vec<RequestId>,
    /// Process all requests of one state.
    #[arg(long)]
    all: bool,
    /// The state for `--all`: `quarantined` or `rejected`.
    #[arg(long, default_value = "quarantined", value_parser = pending)]
    state: RequestState,
    /// Only print what would change.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The outcome for one request.
#[derive(Debug, Serialize)]
struct Outcome {
    id: RequestId,
    done: bool,
    /// The reason if it was not done.
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<Replayed>,
}

/// Requests in one page of a query.
const PAGE: i64 = 500;

/// Processes the selected requests, prints their outcomes, and fails unless all are done.
pub(super) fn process(
    store: &Store,
    arguments: &Arguments,
    verb: &str,
    mut work: impl FnMut(RequestId) -> Result<Result<Option<Replayed>, String>, CommandError>,
) -> Result<(), CommandError> {
    let ids = if arguments.all { ids_in_state(store, arguments.state)? } else { arguments.ids.clone() };
    let bar = progress::bar(u64::try_from(ids.len()).unwrap_or(0));
    let mut outcomes = Vec::new();
    for id in ids {
        let outcome = work(id)?;
        bar.inc(1);
        outcomes.push(match outcome {
            Ok(replayed) => Outcome { id, done: true, error: None, replayed },
            Err(error) => Outcome { id, done: false, error: Some(error), replayed: None },
        });
    }
    bar.finish_and_clear();
    let failed = outcomes.iter().filter(|outcome| !outcome.done).count();
    if arguments.json {
        print_json(&outcomes)?;
    } else {
        outcomes.iter().for_each(show);
        let verb = if arguments.dry_run { format!("would be {verb}") } else { verb.to_owned() };
        print(format_args!("{} {verb}, {failed} failed.", outcomes.len() - failed));
    }
    if failed == 0 { Ok(()) } else { Err(CommandError::Other(format!("{failed} of {} requests failed", outcomes.len()))) }
}

fn show(outcome: &Outcome) {
    if let Some(error) = &outcome.error {
        print(format_args!("{}: {error}", outcome.id));
    }
    if let Some(replayed) = &outcome.replayed {
        let result = match (&replayed.verified_by, replayed.events) {
            (Some(verified_by), _) => format!("verified now ({verified_by})"),
            (None, Some(events)) => format!("{events} events"),
            (None, None) if replayed.duplicate => "already stored from a retry".to_owned(),
            (None, None) => "verified now, and stored".to_owned(),
        };
        print(format_args!("{}: {result}", outcome.id));
        replayed.changes.iter().for_each(diff::show);
    }
}

/// The ids of all requests in a state, oldest first.
fn ids_in_state(store: &Store, state: RequestState) -> Result<Vec<RequestId>, CommandError> {
    let mut filter = RequestFilter { state: Some(state), limit: PAGE, ..RequestFilter::default() };
    let mut ids = Vec::new();
    loop {
        let page = store.requests(&filter)?;
        ids.extend(page.items.iter().map(|request| request.id));
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            ids.reverse();
            return Ok(ids);
        }
    }
}

fn pending(text: &str) -> Result<RequestState, String> {
    let state: Option<RequestState> = text.parse().ok();
    state.filter(|state| PENDING.contains(state)).ok_or_else(|| "expected quarantined or rejected".to_owned())
}
