//! `waybill requests`: callbacks that were not applied: quarantined ones, to be replayed or put aside, and rejected ones.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{CommandError, attached, changes, endpoints, lists, print_json, progress, say, table, wait};
use crate::{
    config::Config,
    replay::{self, ReplayError, Replayed},
    store::{RequestFilter, RequestId, RequestState, Store, StoredRequest},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List requests, newest first.
    List {
        /// Only those of this state: `quarantined`, `rejected`, `discarded` or `processed`.
        #[arg(long, default_value = "quarantined", value_parser = state)]
        state: RequestState,
        #[command(flatten)]
        list: lists::Options,
    },
    /// Show one request with its body.
    Show {
        /// Its number: 12, or r12 for a rejected one.
        #[arg(value_parser = RequestId::from_str)]
        id: RequestId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Apply quarantined or rejected requests, after what was wrong with reading or verifying them is mended.
    Replay(Which),
    /// Put quarantined requests aside for good, and let rejected ones go.
    Discard(Which),
}

/// States in which a request waits for somebody.
const WAITING: [RequestState; 2] = [RequestState::Quarantined, RequestState::Rejected];

/// Which requests.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Their numbers, such as 12, or r12 for a rejected one.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = RequestId::from_str)]
    ids: Vec<RequestId>,
    /// All of that state.
    #[arg(long)]
    all: bool,
    /// Of which state `--all` is meant: `quarantined` or `rejected`.
    #[arg(long, default_value = "quarantined", value_parser = waiting)]
    state: RequestState,
    /// Only print what would change.
    #[arg(long)]
    dry_run: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// What became of one request.
#[derive(Debug, Serialize)]
struct Outcome {
    id: RequestId,
    done: bool,
    /// Why not.
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<Replayed>,
}

/// A request with its body, as the API has it.
#[derive(Debug, Serialize)]
struct Shown<'r> {
    #[serde(flatten)]
    request: &'r StoredRequest,
    body: Option<String>,
    body_encoding: Option<&'static str>,
}

impl<'r> Shown<'r> {
    fn of(request: &'r StoredRequest, body: Option<Vec<u8>>) -> Self {
        let (body, body_encoding) = match body.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), Some("text")),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), Some("base64")),
        };
        Self { request, body, body_encoding }
    }
}

/// Requests of which numbers are asked for at once.
const STEP: i64 = 500;

pub(super) fn run(config: Config, command: Command) -> Result<(), CommandError> {
    let (database, options) = (config.database.clone(), config.store);
    match command {
        Command::List { state, list } => {
            let filter = RequestFilter {
                state: Some(state),
                service_type: list.service_type,
                account: list.account,
                since: list.since,
                until: list.until,
                cursor: list.cursor,
                limit: list.limit,
            };
            let page = attached(&database, options, |store| Ok(store.requests(&filter)?))?;
            if list.json {
                return lists::print("requests", &page);
            }
            say(table::requests(&page.items));
            lists::tell_next(&page);
            Ok(())
        }
        Command::Show { id, json } => attached(&database, options, |store| show(store, id, json)),
        Command::Replay(which) => {
            let endpoints = endpoints(config);
            attached(&database, options, |store| {
                each(store, &which, "replayed", |id| match wait(replay::replay(store, &endpoints, id, which.dry_run))? {
                    Ok(replayed) => Ok(Ok(Some(replayed))),
                    Err(ReplayError::NotApplied(why)) => Ok(Err(why.to_string())),
                    Err(ReplayError::Store(error)) => Err(error.into()),
                })
            })
        }
        Command::Discard(which) => attached(&database, options, |store| {
            each(store, &which, "discarded", |id| {
                let waits = |request: StoredRequest| WAITING.iter().any(|state| request.state == state.as_ref());
                let is_done =
                    if which.dry_run { store.request(id)?.is_some_and(waits) } else { wait(replay::discard(store, id))?? };
                Ok(if is_done { Ok(None) } else { Err("there is no such request that waits".to_owned()) })
            })
        }),
    }
}

fn show(store: &Store, id: RequestId, json: bool) -> Result<(), CommandError> {
    let request = store.request(id)?.ok_or_else(|| CommandError::Other(format!("there is no request {id}")))?;
    let body = store.request_body(id)?;
    if json {
        return print_json(&Shown::of(&request, body));
    }
    say(table::requests(std::slice::from_ref(&request)));
    say(format_args!("{} {}", request.method, request.url));
    for (name, value) in json!(request.headers).as_object().into_iter().flatten() {
        say(format_args!("{name}: {}", value.as_str().unwrap_or_default()));
    }
    if let Some(finding) = &request.finding {
        say(format_args!("\n{finding}"));
    }
    let body = body.map_or("Its body has expired.".into(), |body| String::from_utf8_lossy(&body).into_owned());
    say(format_args!("\n{body}"));
    Ok(())
}

/// Does something with each of them, tells what became of it, and fails if any was not done.
fn each(
    store: &Store,
    which: &Which,
    verb: &str,
    mut work: impl FnMut(RequestId) -> Result<Result<Option<Replayed>, String>, CommandError>,
) -> Result<(), CommandError> {
    let ids = if which.all { all(store, which.state)? } else { which.ids.clone() };
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
    if which.json {
        print_json(&outcomes)?;
    } else {
        outcomes.iter().for_each(tell);
        let would = if which.dry_run { "would be " } else { "" };
        say(format_args!("{} {would}{verb}, {failed} not.", outcomes.len() - failed));
    }
    if failed == 0 { Ok(()) } else { Err(CommandError::Other(format!("{failed} of {} requests: see above", outcomes.len()))) }
}

fn tell(outcome: &Outcome) {
    if let Some(error) = &outcome.error {
        say(format_args!("{}: {error}", outcome.id));
    }
    if let Some(replayed) = &outcome.replayed {
        let what = match (&replayed.verified_by, replayed.events) {
            (Some(verified_by), _) => format!("genuine now ({verified_by})"),
            (None, Some(events)) => format!("{events} events"),
            (None, None) if replayed.duplicate => "it had come again meanwhile".to_owned(),
            (None, None) => "genuine now, and stored".to_owned(),
        };
        say(format_args!("{}: {what}", outcome.id));
        replayed.changes.iter().for_each(changes::show);
    }
}

/// The numbers of all of that state, oldest first.
fn all(store: &Store, state: RequestState) -> Result<Vec<RequestId>, CommandError> {
    let mut filter = RequestFilter { state: Some(state), limit: STEP, ..RequestFilter::default() };
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

fn waiting(text: &str) -> Result<RequestState, String> {
    let state: Option<RequestState> = text.parse().ok();
    state.filter(|state| WAITING.contains(state)).ok_or_else(|| "expected quarantined or rejected".to_owned())
}

fn state(text: &str) -> Result<RequestState, String> {
    text.parse().map_err(|_| "expected quarantined, rejected, discarded or processed".to_owned())
}
