//! The lock file of a segment. A process holds its lock as long as it owns the segment; the kernel releases it when the process ends.
//!
//! The file also holds the id of the last drained request. It is written after the database has committed, without a sync: an earlier
//! id after a power cut only means that requests are drained twice, which changes nothing.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Digits of an id.
const WIDTH: usize = 20;

/// A held lock.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Creates a lock file and locks it. `None` if another process was faster.
    pub(super) fn create(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let lock = Self::hold(file)?;
        if let Some(lock) = &lock {
            // Takes the room that later ids need, before anything is stored.
            lock.set_drained(0)?;
        }
        Ok(lock)
    }

    /// Locks an existing file; `None` while its owner is alive.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let Some(lock) = Self::hold(OpenOptions::new().read(true).write(true).open(path)?)? else { return Ok(None) };
        // A process that deletes a segment removes the file before it releases the lock.
        let is_same = std::fs::metadata(path)?.ino() == lock.0.metadata()?.ino();
        Ok(is_same.then_some(lock))
    }

    fn hold(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The id of the last drained request.
    pub(super) fn drained(&self) -> i64 {
        read(&self.0)
    }

    pub(super) fn set_drained(&self, id: i64) -> io::Result<()> {
        self.0.write_all_at(format!("{id:0WIDTH$} {id:0WIDTH$}\n").as_bytes(), 0)
    }
}

/// The id of the last drained request of a segment, of which another process may hold the lock; and true if one does.
pub(super) fn peek(path: &Path) -> io::Result<(i64, bool)> {
    let file = File::open(path)?;
    let is_held = match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    Ok((read(&file), is_held))
}

/// Both copies of the id must be equal; otherwise nothing is known to be drained.
fn read(file: &File) -> i64 {
    let mut text = [0; 2 * WIDTH + 2];
    if file.read_exact_at(&mut text, 0).is_err() {
        return 0;
    }
    let copies = std::str::from_utf8(&text).ok().and_then(|text| text.trim_end().split_once(' '));
    let equal = copies.filter(|(first, second)| first == second && first.len() == WIDTH);
    equal.and_then(|(first, _)| first.parse().ok()).filter(|id| *id >= 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_process_at_a_time_holds_a_lock_and_its_progress_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = Lock::create(&path).unwrap().unwrap();
        assert_eq!(lock.drained(), 0);
        lock.set_drained(7).unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert_eq!(peek(&path).unwrap(), (7, true));
        drop(lock);
        assert_eq!(peek(&path).unwrap(), (7, false));
        let other = Lock::take(&path).unwrap().unwrap();
        assert_eq!(other.drained(), 7);
        assert!(Lock::create(&path).is_err(), "it is there");
    }

    #[test]
    fn lock_of_a_deleted_file_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        drop(Lock::create(&path).unwrap());
        let opened = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_ne!(fs::metadata(&path).unwrap().ino(), opened.metadata().unwrap().ino());
        assert!(Lock::take(&path).unwrap().is_some_and(|lock| lock.drained() == 0), "an empty file: nothing is drained");
    }

    #[test]
    fn torn_progress_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let both = |first: &str, second: &str| format!("{first:0>20} {second:0>20}\n");
        for (text, expected) in [
            (both("12", "12"), 12),
            (both("12", "13"), 0),
            (both("1x", "1x"), 0),
            ("\0".repeat(42), 0),
            ("12 12\n".to_owned(), 0),
            (String::new(), 0),
        ] {
            fs::write(&path, &text).unwrap();
            assert_eq!(peek(&path).unwrap().0, expected, "{text}");
        }
    }
}
