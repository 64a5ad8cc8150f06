//! The files of a spool, seen from outside: beside a running gateway, and without changing a file.

use std::{collections::BTreeSet, fs, io, path::Path};

use super::{
    file::{FileError, Reader},
    folder::{is_left_over, is_log_alone},
    lock,
    paths::{DAMAGED, DRAINED, LOCK, LOG, Paths, SEGMENT},
};
use crate::time::Timestamp;

/// The owner of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOwner {
    /// A running process.
    Process,
    /// A process that has ended. A gateway with this folder adopts the file.
    None,
    /// It is damaged, and no process reads it.
    Damaged,
    /// A later version wrote it.
    LaterVersion,
    /// It cannot be read now, or by this user, or only its log is left.
    Unreadable,
    /// It holds no request: its process ended while it created or deleted the segment.
    LeftOver,
}

/// A file with requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolFile {
    pub name: String,
    pub owner: FileOwner,
    /// True if the database has rejected its requests.
    pub is_refused: bool,
    /// Requests that are not in the database yet.
    pub pending: u64,
    /// The times of receipt of the first and the last of them.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    pub bytes: u64,
}

/// The files of a spool with requests, the oldest first. Blocks.
pub fn inspect(folder: &Path) -> io::Result<Vec<SpoolFile>> {
    let (mut files, mut others) = (Vec::new(), BTreeSet::new());
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(stem) = name.strip_suffix(SEGMENT) {
            let paths = Paths::new(folder, stem);
            let file = segment(&paths);
            // A gateway may have deleted it meanwhile.
            if file.owner != FileOwner::Unreadable || fs::symlink_metadata(paths.segment()).is_ok() {
                files.push(file);
            }
        } else if let Some(stem) = name.strip_suffix(DAMAGED) {
            let bytes = [name.to_owned(), format!("{name}-wal")];
            let bytes = bytes.iter().map(|name| fs::metadata(folder.join(name)).map_or(0, |file| file.len())).sum();
            files.push(SpoolFile { bytes, owner: FileOwner::Damaged, ..SpoolFile::new(&Paths::new(folder, stem)) });
        } else if let Some(stem) = [LOG, LOCK, DRAINED].iter().find_map(|ending| name.strip_suffix(ending)) {
            others.insert(stem.to_owned());
        }
    }
    files.extend(others.iter().filter_map(|name| without_segment(&Paths::new(folder, name))));
    files.sort_unstable_by(|one, two| one.name.cmp(&two.name));
    Ok(files)
}

impl SpoolFile {
    fn new(paths: &Paths) -> Self {
        Self {
            name: paths.name().to_owned(),
            owner: FileOwner::None,
            is_refused: paths.is_refused(),
            pending: 0,
            oldest: None,
            newest: None,
            bytes: paths.size(),
        }
    }
}

/// Files without a segment, unless a process is creating or deleting it.
fn without_segment(paths: &Paths) -> Option<SpoolFile> {
    let owner = match (is_log_alone(paths), is_left_over(paths)) {
        (true, _) => FileOwner::Unreadable,
        (false, true) => FileOwner::LeftOver,
        (false, false) => return None,
    };
    Some(SpoolFile { owner, ..SpoolFile::new(paths) })
}

fn segment(paths: &Paths) -> SpoolFile {
    let file = SpoolFile::new(paths);
    if paths.check().is_err() {
        return SpoolFile { owner: FileOwner::Unreadable, ..file };
    }
    // A copied file has no lock.
    let (drained, is_held) = match lock::peek(&paths.lock()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return SpoolFile { owner: FileOwner::Unreadable, ..file },
        peeked => peeked.unwrap_or_default(),
    };
    let read = || -> Result<SpoolFile, FileError> {
        let mut reader = Reader::open(&paths.segment())?;
        let last = reader.last()?;
        let mut time = |after: i64| Ok::<_, FileError>(reader.received_after(after)?.and_then(Timestamp::from_micros));
        Ok(SpoolFile {
            owner: if is_held { FileOwner::Process } else { FileOwner::None },
            pending: u64::try_from(last - drained).unwrap_or(0),
            oldest: time(drained)?,
            newest: if last > drained { time(last - 1)? } else { None },
            ..file.clone()
        })
    };
    read().unwrap_or_else(|error| SpoolFile {
        owner: match error {
            FileError::Damaged => FileOwner::Damaged,
            FileError::Newer => FileOwner::LaterVersion,
            FileError::Unavailable(_) => FileOwner::Unreadable,
        },
        ..file
    })
}
