//! A segment of the spool: a file to which one process has appended, and which is deleted once its requests are in the database.

use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    file::{self, Appender, FileError, Reader, Row},
    lock::Lock,
    log,
    paths::Paths,
};
use crate::time::Timestamp;

/// Pause before the database gets requests again that it has rejected.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Names that are tried for a segment.
const NAMES: usize = 8;

/// A segment that this process owns.
pub(super) struct Segment {
    pub(super) paths: Paths,
    lock: Lock,
    /// Open as long as the segment exists.
    reader: Mutex<Reader>,
    /// The ids of the last request and of the last one that is drained. Ids begin at 1 and have no gaps.
    last: AtomicI64,
    drained: AtomicI64,
    /// The time of receipt of the first request that is not drained.
    oldest: AtomicI64,
    bytes: AtomicU64,
    /// True if nothing is appended any more.
    is_sealed: AtomicBool,
    /// True if the file holds requests that cannot be read.
    is_damaged: bool,
    /// Not drained before.
    due: Mutex<Instant>,
}

impl Segment {
    /// Creates a segment. After an error nothing of it is left.
    pub(super) fn create(folder: &Path, now: Timestamp, is_refused: bool) -> Result<(Self, Appender), FileError> {
        let (paths, lock) = claim(folder, now, is_refused)?;
        match file::create(&paths) {
            Ok((appender, reader)) => {
                let pause = if is_refused { REFUSED_PAUSE } else { Duration::ZERO };
                let segment = Self::new(paths, lock, reader, 0, Instant::now() + pause);
                Ok((segment, appender))
            }
            Err(error) => {
                drop(paths.remove());
                Err(error)
            }
        }
    }

    /// Takes over the segment of a process that has ended; `None` if one still owns it.
    pub(super) fn adopt(paths: Paths) -> Result<Option<Self>, FileError> {
        paths.check()?;
        let lock = match Lock::take(&paths.lock()) {
            // A file that was copied here has no lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound && paths.segment().exists() => Lock::create(&paths.lock())?,
            taken => taken?,
        };
        let Some(lock) = lock else { return Ok(None) };
        if !paths.segment().exists() {
            return Ok(None);
        }
        let mut reader = Reader::open(&paths.segment())?;
        let last = reader.last()?;
        let is_damaged = log::is_damaged(&paths.log())?;
        let segment = Self { is_damaged, ..Self::new(paths, lock, reader, last, Instant::now()) };
        segment.is_sealed.store(true, Ordering::SeqCst);
        let first = segment.reader().received_after(segment.drained())?;
        segment.oldest.store(first.unwrap_or(0), Ordering::SeqCst);
        Ok(Some(segment))
    }

    fn new(paths: Paths, lock: Lock, reader: Reader, last: i64, due: Instant) -> Self {
        let (bytes, drained) = (paths.size(), lock.drained().min(last));
        Self {
            paths,
            lock,
            reader: Mutex::new(reader),
            last: last.into(),
            drained: drained.into(),
            oldest: 0.into(),
            bytes: bytes.into(),
            is_sealed: false.into(),
            is_damaged: false,
            due: Mutex::new(due),
        }
    }

    fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the next request.
    pub(super) fn next(&self) -> i64 {
        self.last() + 1
    }

    /// Records that requests were appended. Fails if the files are no longer there: the requests are then not durable.
    pub(super) fn appended(&self, rows: &[Row]) -> io::Result<()> {
        fs::metadata(self.paths.log())?;
        if self.pending() == 0
            && let Some(first) = rows.first()
        {
            self.oldest.store(first.received_at, Ordering::SeqCst);
        }
        self.bytes.store(self.paths.size(), Ordering::SeqCst);
        self.last.fetch_add(i64::try_from(rows.len()).unwrap_or(0), Ordering::SeqCst);
        Ok(())
    }

    /// Nothing is appended any more.
    pub(super) fn seal(&self) {
        self.is_sealed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.is_sealed.load(Ordering::SeqCst)
    }

    /// Requests that are not drained.
    pub(super) fn pending(&self) -> u64 {
        let drained = self.drained();
        u64::try_from(self.last() - drained).unwrap_or(0)
    }

    /// True if it may be deleted.
    pub(super) fn is_done(&self) -> bool {
        self.is_sealed() && self.pending() == 0
    }

    /// True if the file holds requests that cannot be read.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// True if its requests may be drained now.
    pub(super) fn is_due(&self) -> bool {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) <= Instant::now()
    }

    /// Its requests are not drained for some time.
    pub(super) fn postpone(&self, pause: Duration) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + pause;
    }

    /// The time of receipt of its first request that is not drained.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        (self.pending() > 0).then(|| Timestamp::from_micros(self.oldest.load(Ordering::SeqCst)))?
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// The requests after an id, with their ids.
    pub(super) fn read(&self, after: i64, most: i64, most_bytes: usize) -> Result<Vec<(i64, Row)>, FileError> {
        let rows = self.reader().read(after, most, most_bytes)?;
        // They were there when the file was opened.
        if rows.is_empty() && self.last() > after { Err(FileError::Damaged) } else { Ok(rows) }
    }

    /// Sets the time of receipt of its first request that is not drained.
    pub(super) fn set_oldest(&self, received_at: i64) {
        self.oldest.store(received_at, Ordering::SeqCst);
    }

    /// The id of the last request.
    pub(super) fn last(&self) -> i64 {
        self.last.load(Ordering::SeqCst)
    }

    /// The id of the last request that is drained.
    pub(super) fn drained(&self) -> i64 {
        self.drained.load(Ordering::SeqCst)
    }

    /// Records that the requests up to an id are in the database.
    pub(super) fn set_drained(&self, id: i64) {
        if let Err(error) = self.lock.set_drained(id) {
            tracing::debug!("cannot record the progress of a segment of the spool: {error}");
        }
        self.drained.store(id, Ordering::SeqCst);
    }
}

/// A new name and its lock. A process that looks at the files holds a lock for a moment: then it is another name.
fn claim(folder: &Path, now: Timestamp, is_refused: bool) -> Result<(Paths, Lock), FileError> {
    for _ in 0..NAMES {
        let paths = Paths::generate(folder, now, is_refused)?;
        match Lock::create(&paths.lock()) {
            Ok(Some(lock)) => return Ok((paths, lock)),
            failed => {
                drop(paths.remove());
                drop(failed?);
            }
        }
    }
    Err(FileError::Unavailable("its lock is held".to_owned()))
}
