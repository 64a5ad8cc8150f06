//! The thread that drains the spool: it reads requests back from the files, writes them to the database, and deletes segments that are
//! drained. It also looks for segments of processes that have ended.

use std::{
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_util::future;
use rustix::process::setpriority_process;
use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    batch::Batch,
    file::{FileError, Row},
    folder,
    pace::Pace,
    paths::Paths,
    refused::Refused,
    segment::Segment,
    shared::Shared,
    writer::Job,
};
use crate::{
    log_throttle::LogThrottle,
    queue::{
        SpoolMode,
        drain::{Drain, Drained, Parsed},
    },
    store::StoreError,
};

/// Requests that are written to the database at once. Where callbacks are otherwise committed directly, other writes must not
/// wait for long.
const ALWAYS_BATCH: i64 = 4_000;
const OUTAGE_BATCH: i64 = 1_000;

/// Large batches need less work for each request. While requests arrive, that many are collected, or as many as arrive in that time.
const COLLECTED: u64 = 1_000;
const COLLECT_TIME: Duration = Duration::from_millis(20);

/// After a panic the number of requests is divided by this.
const LIMIT_DIVISOR: i64 = 16;

/// Pause of draining in a burst.
const BURST_PAUSE: Duration = Duration::from_millis(50);

/// Pause after a batch that the database did not take.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Pause after a segment could not be read, so that it does not block the others.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

/// Interval of looks at the folder, and of tests of a database that is unavailable.
const SURVEY_INTERVAL: Duration = Duration::from_secs(1);

/// Attempts after which a request is set aside that alone is not stored.
const ATTEMPTS: u32 = 3;

/// Callbacks come first.
const NICE: i32 = 10;

pub(super) struct Drainer {
    shared: Arc<Shared>,
    drain: Drain,
    batch: i64,
    /// Requests that are read at once: fewer after a panic.
    limit: i64,
    jobs: mpsc::Sender<Job>,
    runtime: Runtime,
    /// Read while the batch before was written.
    next: Option<Batch>,
    next_survey: Instant,
    /// Segments that this version cannot read.
    left_alone: BTreeSet<String>,
    /// Names that were logged because they cannot be read.
    named: BTreeSet<String>,
    refused: Refused,
    pace: Pace,
    /// Failed attempts at the next request, while others were stored.
    attempts: u32,
    failures: LogThrottle,
}

/// The fate of a request after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    SetAside,
    Retry,
}

impl Drainer {
    pub(super) fn new(shared: &Arc<Shared>, drain: Drain, mode: SpoolMode, jobs: mpsc::Sender<Job>) -> io::Result<Self> {
        let batch = match mode {
            SpoolMode::Always => ALWAYS_BATCH,
            SpoolMode::Outage => OUTAGE_BATCH,
        };
        Ok(Self {
            shared: Arc::clone(shared),
            drain,
            batch,
            limit: batch,
            jobs,
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build()?,
            next: None,
            next_survey: Instant::now(),
            left_alone: BTreeSet::new(),
            named: BTreeSet::new(),
            refused: Refused::new(shared),
            pace: Pace::new(Instant::now()),
            attempts: 0,
            failures: LogThrottle::default(),
        })
    }

    pub(super) fn run(mut self) {
        if let Err(error) = setpriority_process(None, NICE) {
            tracing::debug!("cannot lower the priority of the drainer: {error}");
        }
        loop {
            if self.next_survey <= Instant::now() {
                self.survey();
            }
            if self.is_burst() {
                thread::park_timeout(BURST_PAUSE);
                continue;
            }
            let segment = if self.has_database() { self.shared.next() } else { None };
            let started = Instant::now();
            let is_progress = segment.as_ref().is_some_and(|segment| self.drain_some(segment));
            self.remove_done();
            self.shared.update_backlog();
            match self.shared.deadline() {
                Some(deadline) if !is_progress || deadline <= Instant::now() => break,
                Some(_) => {}
                None if is_progress => self.wait_until(started + COLLECT_TIME, COLLECTED),
                None if segment.is_some() => self.wait_until(started + RETRY_PAUSE, u64::MAX),
                None => self.wait_until(self.next_survey, if self.drain.is_database_away() { u64::MAX } else { 1 }),
            }
        }
        self.refused.seal(None);
        self.remove_done();
    }

    /// True if callbacks arrive so fast that draining is to wait.
    fn is_burst(&mut self) -> bool {
        self.shared.deadline().is_none() && self.pace.is_burst(self.shared.appended(), self.shared.due(), Instant::now())
    }

    /// True if the database was not unavailable, or is available again.
    fn has_database(&self) -> bool {
        !self.drain.is_database_away() || self.runtime.block_on(self.drain.test_database())
    }

    /// Waits until a time, or until that many requests are pending, or the gateway stops.
    fn wait_until(&self, deadline: Instant, pending: u64) {
        self.shared.set_drainer_idle(true);
        while self.shared.due() < pending && self.shared.deadline().is_none() {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            thread::park_timeout(deadline - now);
        }
        self.shared.set_drainer_idle(false);
    }

    /// Looks at the folder: counts the room that is used, and adopts segments whose process has ended.
    pub(super) fn survey(&mut self) {
        self.next_survey = Instant::now() + SURVEY_INTERVAL;
        // The queue may be full; the next look is soon.
        drop(self.jobs.try_send(Job::Maintain));
        let survey = match folder::survey(&self.shared.folder, &self.shared.names()) {
            Ok(survey) => survey,
            Err(error) => return self.report(&format!("cannot read the folder: {error}")),
        };
        let (mut adopted, mut unreadable) = (0, survey.damaged);
        for name in survey.logs {
            self.name(&name, "only its log is left");
            unreadable.insert(name);
        }
        for name in survey.undeletable {
            self.name(&name, "only its lock is left, which cannot be deleted");
        }
        for paths in survey.others {
            if self.left_alone.contains(paths.name()) {
                unreadable.insert(paths.name().to_owned());
                continue;
            }
            match Segment::adopt(paths.clone()) {
                Ok(None) => {}
                Ok(Some(segment)) => {
                    tracing::info!(pending = segment.pending(), "adopted the segment {} of the spool", paths.name());
                    adopted += segment.bytes();
                    self.shared.add(&Arc::new(segment));
                }
                Err(error) => {
                    unreadable.insert(paths.name().to_owned());
                    self.give_up(&paths, &error);
                }
            }
        }
        let unreadable = u64::try_from(unreadable.len()).unwrap_or(0);
        self.shared.set_others(survey.other_bytes.saturating_sub(adopted), unreadable);
    }

    /// Logs once that a segment cannot be read.
    fn name(&mut self, name: &str, error: &str) {
        if self.named.insert(name.to_owned()) {
            tracing::error!("the segment {name} of the spool cannot be read: {error}");
        }
    }

    /// Leaves a segment that cannot be read to the operator, or to a later version.
    fn give_up(&mut self, paths: &Paths, error: &FileError) {
        match error {
            // Another process may have renamed it.
            FileError::Damaged if !paths.segment().exists() => {}
            FileError::Damaged => match paths.rename_damaged() {
                Ok(damaged) => tracing::error!(
                    "{} is damaged: its requests were not drained as far as they cannot be read, and are left in the file",
                    damaged.display()
                ),
                Err(error) => self.report(&format!("cannot rename the damaged segment {}: {error}", paths.name())),
            },
            FileError::Newer => {
                tracing::error!("the segment {} of the spool is left to a later version of Waybill", paths.name());
                self.left_alone.insert(paths.name().to_owned());
            }
            FileError::Unavailable(error) => self.name(paths.name(), error),
        }
    }

    fn report(&self, error: &str) {
        if self.failures.count().is_some() {
            tracing::error!("the spool cannot be drained; logged at most once a minute: {error}");
        }
    }

    /// Deletes the segments that are drained. Has the one replaced to which requests are appended, if it holds much.
    fn remove_done(&mut self) {
        for segment in self.shared.done() {
            if segment.is_damaged() {
                self.lose(&segment, &FileError::Damaged);
                continue;
            }
            match segment.paths.remove() {
                Ok(()) => self.shared.forget(&segment),
                Err(error) => self.report(&format!("cannot delete the segment {}: {error}", segment.paths.name())),
            }
        }
    }

    /// Drains the next requests of a segment. Returns true if there was progress. A panic is a bug that one of them triggers: fewer are
    /// tried, and finally that one is set aside.
    fn drain_some(&mut self, segment: &Arc<Segment>) -> bool {
        match catch_unwind(AssertUnwindSafe(|| self.drain(segment))) {
            Ok(is_progress) => {
                if is_progress {
                    self.limit = (self.limit * 2).min(self.batch);
                }
                is_progress
            }
            Err(_) if self.limit > 1 => {
                tracing::error!("the drainer thread panicked");
                self.limit = (self.limit / LIMIT_DIVISOR).max(1);
                true
            }
            Err(_) => {
                tracing::error!("the drainer thread panicked over one request");
                segment.read(segment.drained(), 1, 0).is_ok_and(|rows| self.advance(segment, &rows, &[Fate::SetAside]))
            }
        }
    }

    /// Drains the next requests of a segment. Returns true if there was progress.
    fn drain(&mut self, segment: &Arc<Segment>) -> bool {
        // Those that are rejected again go to another one.
        self.refused.seal(Some(segment));
        let next = self.next.take().filter(|next| next.is_next_of(segment));
        let batch = next.map_or_else(|| Batch::read(segment, segment.drained(), self.limit, &self.drain), Ok);
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                self.lose(segment, &error);
                return false;
            }
        };
        segment.set_oldest(batch.oldest());
        let (started, last) = (Instant::now(), batch.last());
        let Batch { rows, requests, .. } = batch;
        let fates = self.write(segment, last, requests);
        self.pace.drained(rows.len(), started.elapsed());
        self.advance(segment, &rows, &fates)
    }

    /// The requests after an id, if they are a whole batch. After a panic it would be unknown which one triggered it.
    fn read_ahead(&self, segment: &Arc<Segment>, after: i64) -> Option<Batch> {
        let is_whole = self.limit == self.batch && segment.last() - after >= self.batch;
        is_whole.then(|| Batch::read(segment, after, self.batch, &self.drain).ok()).flatten()
    }

    /// Gives up a segment that this process owns.
    fn lose(&mut self, segment: &Segment, error: &FileError) {
        self.give_up(&segment.paths, error);
        if matches!(error, FileError::Unavailable(_)) {
            segment.postpone(UNREADABLE_PAUSE);
        } else {
            self.shared.forget(segment);
        }
    }

    /// Writes requests to the database, and reads the next ones meanwhile; `None` for one that cannot be read.
    fn write(&mut self, segment: &Arc<Segment>, last: i64, requests: Vec<Option<Parsed>>) -> Vec<Fate> {
        let is_readable: Vec<bool> = requests.iter().map(Option::is_some).collect();
        let written = self.drain.write(requests.into_iter().flatten().collect());
        let read_ahead = async { self.read_ahead(segment, last) };
        let (outcomes, next) = self.runtime.block_on(future::join(written, read_ahead));
        self.next = next;
        let are_some_stored = outcomes.iter().any(|outcome| matches!(outcome, Drained::Durable));
        let is_first_failed = matches!(outcomes.first(), Some(Drained::Failed(_)));
        self.attempts = if are_some_stored && is_first_failed { self.attempts + 1 } else { 0 };
        let is_refusal_believed = are_some_stored
            || outcomes.iter().any(|outcome| matches!(outcome, Drained::Failed(StoreError::Refused)))
                && self.runtime.block_on(self.drain.test_database());
        let mut outcomes = outcomes.into_iter();
        let fate = |is_readable: bool| match is_readable.then(|| outcomes.next()) {
            Some(Some(Drained::Durable)) => Fate::Done,
            Some(Some(Drained::UnknownProvider)) | None => Fate::SetAside,
            Some(Some(Drained::Failed(StoreError::Refused))) if is_refusal_believed => Fate::SetAside,
            Some(Some(Drained::Failed(_)) | None) => Fate::Retry,
        };
        let mut fates: Vec<Fate> = is_readable.into_iter().map(fate).collect();
        if let Some(first) = fates.iter_mut().find(|fate| **fate == Fate::Retry)
            && self.attempts >= ATTEMPTS
        {
            *first = Fate::SetAside;
        }
        fates
    }

    /// Records how far a segment is drained. Requests that the database does not take are set aside first, so that they block no other.
    fn advance(&mut self, segment: &Segment, rows: &[(i64, Row)], fates: &[Fate]) -> bool {
        let end = fates.iter().position(|fate| *fate == Fate::Retry).unwrap_or(rows.len());
        let mut handled: Vec<(&(i64, Row), &Fate)> = rows.iter().zip(fates).take(end).collect();
        let is_set_aside = |fate: &Fate| *fate == Fate::SetAside;
        let set_aside: Vec<Row> =
            handled.iter().filter(|(_, fate)| is_set_aside(fate)).map(|((_, row), _)| row.clone()).collect();
        if !set_aside.is_empty()
            && let Err(error) = self.refused.append(&set_aside)
        {
            self.report(&format!("cannot set requests aside: {error}"));
            let first = handled.iter().position(|(_, fate)| is_set_aside(fate)).unwrap_or(0);
            handled.truncate(first);
        }
        let Some(((id, _), _)) = handled.last() else { return false };
        segment.set_drained(*id);
        true
    }
}
