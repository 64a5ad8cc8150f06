//! The names of a segment's files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::time::Timestamp;

/// Ends of file names: a segment, its lock, one that is being created, one that is damaged, one that is being deleted; the log of one.
pub(super) const SEGMENT: &str = ".spool";
pub(super) const LOCK: &str = ".lock";
pub(super) const NEW: &str = ".new";
pub(super) const DAMAGED: &str = ".damaged";
pub(super) const DRAINED: &str = ".drained";
pub(super) const LOG: &str = ".spool-wal";

/// The end of the name of a damaged segment's log, by which SQLite's tools find it.
const DAMAGED_LOG: &str = ".damaged-wal";

/// The end of the name of the index that SQLite keeps of a log.
const LOG_INDEX: &str = ".spool-shm";

/// The end of the name of a segment whose requests the database has rejected.
const REFUSED: &str = "-refused";

/// The paths of a segment's files.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    folder: PathBuf,
    name: String,
}

impl Paths {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// A new name. Names sort by time; none contains a dot.
    pub(super) fn generate(folder: &Path, now: Timestamp, is_refused: bool) -> io::Result<Self> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (time, process, random) = (now.naive().format("%Y%m%dT%H%M%S%6fZ"), std::process::id(), hex::encode(random));
        Ok(Self::new(folder, &format!("{time}-{process}-{random}{}", if is_refused { REFUSED } else { "" })))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_refused(&self) -> bool {
        self.name.ends_with(REFUSED)
    }

    fn with(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.name))
    }

    pub(super) fn segment(&self) -> PathBuf {
        self.with(SEGMENT)
    }

    pub(super) fn new_segment(&self) -> PathBuf {
        self.with(NEW)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.with(LOCK)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.with(LOG)
    }

    fn log_index(&self) -> PathBuf {
        self.with(LOG_INDEX)
    }

    fn files(&self) -> [PathBuf; 4] {
        [self.segment(), self.log(), self.log_index(), self.lock()]
    }

    /// The size of all files.
    pub(super) fn size(&self) -> u64 {
        self.files().iter().map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum()
    }

    /// Fails if one of them is no regular file. Opening a named pipe would never return, and a link leads out of the folder.
    pub(super) fn check(&self) -> io::Result<()> {
        let is_other = |file: &PathBuf| fs::symlink_metadata(file).is_ok_and(|file| !file.is_file());
        match self.files().into_iter().find(is_other) {
            Some(file) => Err(io::Error::other(format!("{} is no regular file", file.display()))),
            None => Ok(()),
        }
    }

    pub(super) fn drained(&self) -> PathBuf {
        self.with(DRAINED)
    }

    /// Deletes all files. With its first step no process reads the segment any more, and each can finish this. The lock is last: until
    /// then no other process does.
    pub(super) fn remove(&self) -> io::Result<()> {
        unless_missing(fs::rename(self.segment(), self.drained()))?;
        let files = [self.new_segment(), self.log(), self.log_index(), self.drained(), self.lock()];
        files.iter().try_for_each(|file| unless_missing(fs::remove_file(file)))
    }

    /// Renames the files of a damaged segment, so that no process reads them again.
    pub(super) fn rename_damaged(&self) -> io::Result<PathBuf> {
        let damaged = self.with(DAMAGED);
        unless_missing(fs::rename(self.log(), self.with(DAMAGED_LOG)))?;
        fs::rename(self.segment(), &damaged)?;
        for file in [self.log_index(), self.lock()] {
            // Neither holds a request.
            drop(fs::remove_file(file));
        }
        Ok(damaged)
    }
}

fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
