//! `waybill spool`: the files of the spool, beside a running gateway or without one. Changes nothing.

mod findings;

use std::{fmt, io, path::Path};

use clap::Args;
use serde::Serialize;

pub(super) use self::findings::findings;
use super::{CommandError, load_config, print, print_json, table};
use crate::{
    config::Env,
    queue::{
        QueueOptions, SpoolOptions,
        spool::{self, FileOwner, SpoolFile},
    },
    time::{Clock, Timestamp},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print JSON; `null` without a spool.
    #[arg(long)]
    json: bool,
}

/// A spool, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    folder: String,
    mode: &'static str,
    /// Callbacks that are not in the tables yet.
    pending: u64,
    oldest: Option<Timestamp>,
    lag_seconds: i64,
    bytes: u64,
    max_bytes: u64,
    files: Vec<FileReport>,
}

#[derive(Serialize)]
pub(super) struct FileReport {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) pending: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
    pub(super) bytes: u64,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let QueueOptions::Spool(options) = &config.queue else {
        if arguments.json {
            return print_json(&());
        }
        print("SPOOL_PATH is not set: there is no spool.");
        return Ok(());
    };
    let files = spool::inspect(&options.folder).map_err(|error| CommandError::Other(unreadable(&options.folder, &error)))?;
    let report = Report::new(options, files, Clock::System.now());
    if arguments.json {
        return print_json(&report);
    }
    show(&report);
    Ok(())
}

/// The files, of which a folder that does not exist yet has none.
fn files(folder: &Path) -> io::Result<Vec<SpoolFile>> {
    match spool::inspect(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        files => files,
    }
}

fn unreadable(folder: &Path, error: &io::Error) -> String {
    let shown = folder.display();
    if error.kind() == io::ErrorKind::NotFound {
        return format!(
            "SPOOL_PATH: the folder {shown} does not exist: no gateway has started with it, or its volume is not mounted"
        );
    }
    format!("the spool cannot be read: {shown}: {error}")
}

impl Report {
    fn new(options: &SpoolOptions, files: Vec<SpoolFile>, now: Timestamp) -> Self {
        let oldest = files.iter().filter_map(|file| file.oldest).min();
        Self {
            folder: options.folder.display().to_string(),
            mode: options.mode.into(),
            pending: files.iter().map(|file| file.pending).sum(),
            oldest,
            lag_seconds: oldest.map_or(0, |oldest| now.seconds().saturating_sub(oldest.seconds()).max(0)),
            bytes: files.iter().map(|file| file.bytes).sum(),
            max_bytes: options.max_bytes,
            files: files.into_iter().map(FileReport::from).collect(),
        }
    }
}

impl From<SpoolFile> for FileReport {
    fn from(file: SpoolFile) -> Self {
        let state = match file.owner {
            FileOwner::Process => "in use",
            FileOwner::None => "orphan",
            FileOwner::Damaged => "damaged",
            FileOwner::LaterVersion => "later version",
            FileOwner::Unreadable => "unreadable",
            FileOwner::LeftOver => "left over",
        };
        let SpoolFile { name, pending, oldest, newest, bytes, .. } = file;
        Self { name, state, pending, oldest, newest, bytes }
    }
}

fn show(report: &Report) {
    let Report { folder, mode, pending, oldest, lag_seconds, bytes, max_bytes, files } = report;
    print(format_args!("{folder} (SPOOL_MODE={mode}): {bytes} of {max_bytes} bytes"));
    if !files.is_empty() {
        print(table::spool(files));
    }
    match oldest {
        None if *pending == 0 => print("Every callback is in the tables."),
        None => print(format_args!("{} not in the tables yet.", are(*pending))),
        Some(oldest) => {
            print(format_args!("{} not in the tables yet, the oldest since {oldest} ({lag_seconds} s).", are(*pending)));
        }
    }
    let count = |state: &str| files.iter().filter(|file| file.state == state).count();
    if count("orphan") > 0 {
        print("A gateway with this folder adopts the orphans and drains them.");
    }
    if count("damaged") > 0 {
        print("Damaged files are left to you: docs/troubleshooting.md says what can be read from them.");
    }
    if count("left over") > 0 {
        print("What is left over holds no callback. A gateway with this folder deletes it; its log says if it cannot.");
    }
}

fn are(callbacks: u64) -> String {
    if callbacks == 1 { "1 callback is".to_owned() } else { format!("{callbacks} callbacks are") }
}

/// The callbacks of the spool that are not in the tables yet, in a sentence.
#[derive(Debug)]
pub(crate) struct Undrained(String);

impl fmt::Display for Undrained {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The callbacks of the spool that are not in the tables yet; `None` if there are none.
pub(super) fn undrained(queue: &QueueOptions) -> Option<Undrained> {
    let QueueOptions::Spool(SpoolOptions { folder, .. }) = queue else { return None };
    let files = match files(folder) {
        Ok(files) => files,
        Err(error) => return Some(Undrained(unreadable(folder, &error))),
    };
    let pending: u64 = files.iter().map(|file| file.pending).sum();
    let is_unread = |file: &&SpoolFile| !matches!(file.owner, FileOwner::Process | FileOwner::None | FileOwner::LeftOver);
    let unread = files.iter().filter(is_unread).count();
    let shown = folder.display();
    let since = files.iter().filter_map(|file| file.oldest).min().map(|oldest| format!(", the oldest since {oldest}"));
    let since = since.unwrap_or_default();
    match (pending, unread) {
        (0, 0) => None,
        (_, 0) => Some(format!("{} in the spool and not in the tables yet: {shown}{since}", are(pending))),
        (0, _) => {
            Some(format!("{unread} files of the spool cannot be read, and their callbacks may not be in the tables: {shown}"))
        }
        _ => Some(format!(
            "{} in the spool and not in the tables yet{since}, and {unread} of its files cannot be read: {shown}",
            are(pending)
        )),
    }
    .map(Undrained)
}

/// The callbacks that no command on this host sees, in sentences; `None` if there are none.
pub(super) fn unseen(queue: &QueueOptions) -> Option<&'static str> {
    match queue {
        QueueOptions::None => None,
        QueueOptions::Spool(_) => Some(
            "this command sees the spool of this host only. If gateways on other hosts have a spool, callbacks in it may have data of \
             the person: wait until waybill_queue_pending_requests is 0 on each, then run this again",
        ),
        QueueOptions::Broker(_) => Some(
            "this command does not see the broker. Callbacks in its stream, and in the one with _DEAD at the end of its name, may have \
             data of the person: wait until waybill_queue_pending_requests and waybill_queue_dead_messages are 0, then run this again",
        ),
    }
}
