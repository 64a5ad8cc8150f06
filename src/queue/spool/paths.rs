//! The names of a segment's files.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crate::time::Timestamp;

/// Ends of file names: a segment, its lock, one that is being made, and one that cannot be read.
pub(super) const SEGMENT: &str = ".spool";
pub(super) const LOCK: &str = ".lock";
pub(super) const NEW: &str = ".new";
pub(super) const DAMAGED: &str = ".damaged";

/// Ends of the names of the files that SQLite keeps beside a database.
const LOG: &str = "-wal";
const LOG_INDEX: &str = "-shm";

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
        beside(&self.segment(), LOG)
    }

    fn log_index(&self) -> PathBuf {
        beside(&self.segment(), LOG_INDEX)
    }

    /// The size of all files.
    pub(super) fn size(&self) -> u64 {
        let files = [self.segment(), self.log(), self.log_index(), self.lock()];
        files.iter().map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum()
    }

    /// Deletes all files. The lock is last: until then no other process touches them.
    pub(super) fn remove(&self) -> io::Result<()> {
        let files = [self.new_segment(), self.segment(), self.log(), self.log_index(), self.lock()];
        files.iter().try_for_each(|file| match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// Renames the files of a damaged segment, so that no process reads them again. SQLite's tools find the log by its name.
    pub(super) fn rename_damaged(&self) -> io::Result<PathBuf> {
        let damaged = self.with(DAMAGED);
        match fs::rename(self.log(), beside(&damaged, LOG)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(self.segment(), &damaged)?;
        for file in [self.log_index(), self.lock()] {
            // Neither holds a request.
            drop(fs::remove_file(file));
        }
        Ok(damaged)
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
