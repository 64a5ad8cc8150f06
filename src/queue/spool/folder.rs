//! The folder of the spool.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

use super::{
    lock::Lock,
    paths::{DAMAGED, DRAINED, LOCK, LOG, Paths, SEGMENT},
    volume,
};
use crate::files;

/// Age after which files without a segment are left over from a process that ended while it made or deleted one.
const LEFT_OVER: Duration = Duration::from_mins(1);

/// With less than this no segment can be created.
const FULL: u64 = 1 << 20;

/// Creates the folder, and checks that files can be created in it. It is accessible to its owner only.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
    if files::tighten(folder)? {
        tracing::warn!("{} was open to other users; it is now accessible to its owner only", folder.display());
    }
    if let Some(risk) = volume::risk(folder) {
        tracing::warn!("{} {risk}", folder.display());
    }
    tempfile::tempfile_in(folder).map(drop).map_err(named)
}

pub(super) fn is_disk_full(folder: &Path) -> bool {
    files::free_bytes(folder).is_some_and(|free| free < FULL)
}

/// Findings of a look at the folder.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Segments that this process does not own.
    pub(super) others: Vec<Paths>,
    /// The size of all files but those of this process's segments.
    pub(super) other_bytes: u64,
    /// The names of damaged segments, and of those of which only the log is left.
    pub(super) damaged: BTreeSet<String>,
    pub(super) logs: BTreeSet<String>,
    /// The names of files that belong to no segment and cannot be deleted.
    pub(super) undeletable: BTreeSet<String>,
}

/// Looks at all files, except those of the segments with these names. Deletes those that belong to no segment.
pub(super) fn survey(folder: &Path, own: &BTreeSet<String>) -> io::Result<Survey> {
    let (mut survey, mut left_over) = (Survey::default(), BTreeSet::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let (stem, ending) = name.to_str().and_then(|name| name.split_at_checked(name.find('.')?)).unwrap_or_default();
        if own.contains(stem) {
            continue;
        }
        // It may have been deleted since.
        survey.other_bytes += entry.metadata().map_or(0, |file| file.len());
        match ending {
            SEGMENT => survey.others.push(Paths::new(folder, stem)),
            DAMAGED => drop(survey.damaged.insert(stem.to_owned())),
            LOG => drop(survey.logs.insert(stem.to_owned())),
            LOCK | DRAINED => drop(left_over.insert(stem.to_owned())),
            _ => {}
        }
    }
    survey.others.sort_unstable_by(|one, two| one.name().cmp(two.name()));
    left_over.retain(|name| is_undeletable(&Paths::new(folder, name)));
    survey.undeletable = left_over;
    survey.logs.retain(|name| is_log_alone(&Paths::new(folder, name)));
    Ok(survey)
}

/// True if the log of a segment is left, but not the segment.
pub(super) fn is_log_alone(paths: &Paths) -> bool {
    !paths.segment().exists() && !paths.drained().exists() && is_old(&paths.log())
}

/// True if a process ended while it created or deleted the segment, and nothing of its requests is left.
pub(super) fn is_left_over(paths: &Paths) -> bool {
    let has_requests = paths.segment().exists() || !paths.drained().exists() && paths.log().exists();
    !has_requests && (is_old(&paths.lock()) || is_old(&paths.drained()))
}

/// True if it was changed long ago, so that no process is creating or deleting it.
fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|file| file.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > LEFT_OVER))
}

/// Deletes what is left over; returns true if that fails.
fn is_undeletable(paths: &Paths) -> bool {
    if !is_left_over(paths) {
        return false;
    }
    // Its process may still be at work.
    match Lock::take(&paths.lock()) {
        Ok(None) => false,
        _held => is_left_over(paths) && paths.remove().is_err(),
    }
}
