//! The disk of a SQLite database: its free room, and a reserve of real blocks in a file beside the database.
//!
//! The log can be copied only if the database file can grow, and a full disk allows neither that nor another commit. The reserve is then
//! released, which is enough to commit what is queued and to empty the log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use crate::files;

const MIB: u64 = 1 << 20;

/// The reserve takes this many bytes, but at most a quarter of what is free.
const RESERVE: u64 = 16 * MIB;
const SHARE: u64 = 4;

/// With less than this the disk counts as full: a batch of 8 MiB may not fit.
const LOW: u64 = 16 * MIB;

/// The log may always grow to this, however little is free.
const MIN_LOG: u64 = MIB;

/// The file system of a database, and the reserve on it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    reserve: PathBuf,
}

impl Disk {
    pub(crate) fn new(database: &Path) -> Self {
        let folder = database.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let mut reserve = database.as_os_str().to_owned();
        reserve.push("-reserve");
        Self { folder: folder.to_owned(), reserve: reserve.into() }
    }

    /// Bytes that are free; the maximum if that is unknown.
    fn free(&self) -> u64 {
        files::free_bytes(&self.folder).unwrap_or(u64::MAX)
    }

    fn reserved(&self) -> u64 {
        fs::metadata(&self.reserve).map_or(0, |file| file.len())
    }

    pub(crate) fn is_low(&self) -> bool {
        self.free() < LOW
    }

    /// Bytes to which the log may grow so that the database can still take it in.
    pub(crate) fn max_log(&self) -> usize {
        let room = self.free().saturating_add(self.reserved());
        usize::try_from((room / 2).max(MIN_LOG)).unwrap_or(usize::MAX)
    }

    /// Takes the reserve, or enlarges it, if there is room. Returns its size if it has changed.
    pub(crate) fn take_reserve(&self) -> io::Result<Option<u64>> {
        let reserved = self.reserved();
        let target = (self.free().saturating_add(reserved) / SHARE).min(RESERVE) / MIB * MIB;
        if target <= reserved {
            return Ok(None);
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.reserve)?;
        match fallocate(&file, FallocateFlags::empty(), 0, target) {
            Ok(()) => Ok(Some(target)),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, target).map(|()| Some(target)),
            Err(error) => Err(error.into()),
        }
    }

    /// Releases the reserve before a start on a full disk, which could not even open the database.
    pub(crate) fn make_room_to_open(&self) {
        if self.free() < MIB && self.release_reserve() > 0 {
            tracing::error!("the disk is full: released the reserve");
        }
    }

    /// Deletes the reserve; returns its size.
    pub(crate) fn release_reserve(&self) -> u64 {
        let reserved = self.reserved();
        if fs::remove_file(&self.reserve).is_ok() { reserved } else { 0 }
    }
}

/// Allocates a file where the file system cannot.
fn write_zeros(mut file: File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserve_is_taken_released_and_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(&folder.path().join("a.db"));
        let bytes = disk.take_reserve().unwrap().expect("room");
        assert!(bytes <= RESERVE && disk.reserved() == bytes);
        assert_eq!(disk.take_reserve().unwrap(), None, "it is there");
        assert!(disk.max_log() as u64 > bytes / 2);
        assert_eq!((disk.release_reserve(), disk.release_reserve()), (bytes, 0));
        assert_eq!(disk.take_reserve().unwrap(), Some(bytes));
        write_zeros(File::create(&disk.reserve).unwrap(), MIB).unwrap();
        assert_eq!(disk.reserved(), MIB);
    }
}
