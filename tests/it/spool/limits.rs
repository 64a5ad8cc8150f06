//! The limit on the size of the spool.

use std::{fs, path::Path};

use waybill::queue::{Queue, QueueError};

use super::{MIB, Spooled, expected, size, start, start_without_database, stored};
use crate::support::database::{Backend, Database};

/// Appends callbacks until there is no room; returns the number that were acknowledged.
fn fill(spooled: &Spooled, folder: &Path) -> usize {
    let mut appended = 0;
    loop {
        let outcomes = spooled.try_append(appended..appended + 50);
        let taken = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
        assert!(outcomes[taken..].iter().all(|outcome| *outcome == Err(QueueError::Full)), "{outcomes:?}");
        assert!(size(folder) <= MIB, "{} bytes", size(folder));
        appended += taken;
        if taken < outcomes.len() {
            return appended;
        }
    }
}

#[test]
fn spool_is_bounded_and_takes_requests_again_once_it_is_drained() {
    let database = Database::new(Backend::Sqlite);
    let folder = tempfile::tempdir().expect("a folder");
    let full = start_without_database(folder.path(), MIB);
    let appended = fill(&full, folder.path());
    assert!(appended > 200, "only {appended} fit");
    let state = full.spool.state();
    assert!(state.is_failing && state.bytes <= MIB && state.bytes > MIB * 3 / 4, "{state:?}");
    assert_eq!((state.max_bytes, state.pending), (MIB, appended as u64));
    full.end();
    let spooled = start(folder.path(), &database, MIB);
    spooled.wait_until_drained();
    let state = spooled.wait("small again", |state| state.bytes < MIB / 4);
    assert!(!state.is_failing, "{state:?}");
    // More than the limit, in all.
    for first in (appended..appended * 3).step_by(100) {
        spooled.append(first..first + 100);
        spooled.wait_until_drained();
    }
    let state = spooled.wait("small again", |state| state.bytes < MIB / 4);
    assert!(!state.is_failing, "{state:?}");
    assert!(stored(&database).starts_with(&expected(0..appended * 3)), "everything is stored");
    spooled.end();
}

#[test]
fn files_of_other_processes_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let spooled = start_without_database(folder.path(), MIB);
    spooled.append(0..10);
    let other = folder.path().join("other.damaged");
    fs::write(&other, vec![0; 1 << 20]).expect("a file");
    spooled.wait("full", |state| state.is_failing && state.bytes > MIB);
    assert_eq!(spooled.try_append(10..11), [Err(QueueError::Full)]);
    fs::remove_file(other).expect("the file");
    spooled.wait("not full", |state| !state.is_failing);
    spooled.append(10..20);
    assert_eq!(spooled.spool.state().pending, 20);
    spooled.end();
}

#[test]
fn folder_and_files_are_accessible_to_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("a b?c%d#e/spool");
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
    let spooled = start_without_database(&folder, MIB);
    spooled.append(0..10);
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    spooled.end();
}
