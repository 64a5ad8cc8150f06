//! The zeros at the end of a segment's log. The sync of a file that has grown also writes its new size to the disk, and takes twice as
//! long as that of a file that was overwritten. So the log is extended with zeros from time to time, and SQLite overwrites them: to
//! SQLite a log ends with its last valid frame.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
};

use super::file::{FileError, PAGE_SIZE, Row};

/// Zeros that are written by one call.
static CHUNK: [u8; 64 << 10] = [0; 64 << 10];

/// A log is extended by this share of the size of its segment, so that little room stays unused.
const STEPS: u64 = 64;

/// The file of a log. It is written to between SQLite's transactions.
pub(super) struct Zeros {
    log: File,
    step: u64,
    /// At least that many are left.
    left: u64,
}

impl Zeros {
    pub(super) fn new(log: &Path, segment_size: u64) -> Result<Self, FileError> {
        let log = OpenOptions::new().write(true).open(log)?;
        Ok(Self { log, step: segment_size / STEPS, left: 0 })
    }

    /// Extends the log if few zeros are left after these requests. After an error nothing may be appended any more.
    pub(super) fn follow(&mut self, rows: &[Row], used: impl FnOnce() -> Result<u64, FileError>) -> Result<(), FileError> {
        let written: u64 = rows.iter().map(Row::size).sum();
        // A transaction also writes pages that were there before.
        self.left = self.left.saturating_sub(written * 2 + 4 * u64::from(PAGE_SIZE));
        if self.left >= self.step {
            return Ok(());
        }
        let used = used()?;
        let end = used + self.step * 2;
        // SQLite extends the log itself once all zeros are overwritten.
        let mut place = self.log.metadata()?.len().max(used);
        while place < end {
            let length = usize::try_from(end - place).map_or(CHUNK.len(), |length| length.min(CHUNK.len()));
            self.log.write_all_at(CHUNK.get(..length).unwrap_or_default(), place)?;
            place += u64::try_from(length).unwrap_or(u64::MAX);
        }
        self.log.sync_data()?;
        self.left = end - used;
        Ok(())
    }
}
