//! The folder of the spool.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    lock::Lock,
    paths::{DAMAGED, LOCK, Paths, SEGMENT},
};
use crate::files;

/// Age after which files without a segment are left over from a process that ended while it made or deleted one.
const LEFT_OVER: Duration = Duration::from_mins(1);

/// Creates the folder, and checks that files can be created in it. It is accessible to its owner only.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
    if files::tighten(folder)? {
        tracing::warn!("{} was open to other users; it is now accessible to its owner only", folder.display());
    }
    tempfile::tempfile_in(folder).map(drop).map_err(named)
}

/// Findings of a look at the folder.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Segments that this process does not own.
    pub(super) others: Vec<Paths>,
    /// The size of all files but those of this process's segments.
    pub(super) other_bytes: u64,
    pub(super) damaged: u64,
}

/// Looks at all files, except those of the segments with these names. Deletes those that belong to no segment.
pub(super) fn survey(folder: &Path, own: &BTreeSet<String>) -> io::Result<Survey> {
    let (mut survey, mut locks) = (Survey::default(), Vec::new());
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
            DAMAGED => survey.damaged += 1,
            LOCK => locks.push(Paths::new(folder, stem)),
            _ => {}
        }
    }
    survey.others.sort_unstable_by(|one, two| one.name().cmp(two.name()));
    locks.iter().for_each(remove_left_over);
    Ok(survey)
}

/// Deletes the files of a lock without a segment, unless its process may still be at work.
fn remove_left_over(paths: &Paths) {
    let is_old = |path: PathBuf| {
        let changed = fs::metadata(path).and_then(|file| file.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > LEFT_OVER))
    };
    if paths.segment().exists() || !is_old(paths.lock()) {
        return;
    }
    if let Ok(Some(_lock)) = Lock::take(&paths.lock())
        && !paths.segment().exists()
    {
        drop(paths.remove());
    }
}
