//! The findings of `waybill check` about the spool. Creates nothing.

use std::path::Path;

use rustix::fs::{Access, access};

use super::undrained;
use crate::{
    config::Finding,
    files,
    queue::{QueueOptions, SpoolOptions, spool::volume},
};

const PATH: &str = "SPOOL_PATH";

/// The problems for which the gateway would not start, and the warnings.
pub(in crate::cli) fn findings(queue: &QueueOptions) -> (Vec<Finding>, Vec<Finding>) {
    let QueueOptions::Spool(options) = queue else { return (Vec::new(), Vec::new()) };
    let finding = |variable: &str, sentence: String| Finding { variable: variable.to_owned(), sentence };
    let (folder, shown) = (&options.folder, options.folder.display());
    // The folder is created at the start.
    let Some(existing) = folder.ancestors().map(nonempty).find(|folder| folder.symlink_metadata().is_ok()) else {
        return (Vec::new(), Vec::new());
    };
    if !existing.is_dir() {
        return (vec![finding(PATH, format!("{} is not a directory", existing.display()))], Vec::new());
    }
    if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return (vec![finding(PATH, format!("this user cannot write to {}", existing.display()))], Vec::new());
    }
    // Also in a folder that takes no files, as below `/proc`. Where the file system allows, the file never has a name.
    if let Err(error) = tempfile::tempfile_in(existing) {
        return (vec![finding(PATH, format!("cannot create a file in {}: {error}", existing.display()))], Vec::new());
    }
    let mut warnings: Vec<Finding> =
        volume::risk(existing).map(|risk| finding(PATH, format!("{shown} {risk}"))).into_iter().collect();
    if existing == folder && files::is_open(existing) {
        warnings.push(finding(PATH, format!("{shown} is open to other users; the start restricts it to its owner")));
    }
    warnings.extend(room(options, existing).map(|sentence| finding("SPOOL_MAX_BYTES", sentence)));
    warnings.extend(undrained(queue).map(|undrained| finding(PATH, undrained.to_string())));
    (Vec::new(), warnings)
}

/// The path of a folder; that of a relative path's last ancestor is empty.
fn nonempty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The shortage of disk space, if there is one.
fn room(options: &SpoolOptions, existing: &Path) -> Option<String> {
    let free = files::free_bytes(existing)?;
    let used: u64 = super::files(&options.folder).ok()?.iter().map(|file| file.bytes).sum();
    let needed = options.max_bytes.saturating_sub(used);
    (free < needed).then(|| {
        format!("the volume has {free} bytes left, {} too few: the spool is full before it reaches its maximum", needed - free)
    })
}
