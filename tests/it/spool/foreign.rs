//! Foreign and damaged files in the folder, and requests over which the gateway panics.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::SystemTime,
};

use waybill::queue::{Queue, spool::FileOwner};

use super::{MIB, expected, files, start, start_with, start_without_database, stored};
use crate::{
    store::open,
    support::database::{Backend, Database},
};

#[test]
fn foreign_files_stop_neither_the_gateway_nor_the_drain() {
    let (folder, database) = (tempfile::tempdir().expect("a folder"), Database::new(Backend::Sqlite));
    let ended = start_without_database(folder.path(), 64 * MIB);
    ended.append(0..50);
    ended.end();
    let path = |name: &str| folder.path().join(name);
    let pipe = |name: &str| assert!(Command::new("mkfifo").arg(path(name)).status().expect("mkfifo").success());
    pipe("1.spool");
    fs::create_dir(path("2.spool")).expect("a folder");
    symlink("/nowhere/x", path("3.spool")).expect("a link");
    symlink("/etc/passwd", path("4.spool")).expect("a link");
    fs::write(path("5.spool"), "not a database".repeat(1_000)).expect("a file");
    fs::create_dir(path("5.lock")).expect("a folder");
    fs::write(path("6.spool"), "").expect("a file");
    pipe("6.lock");
    fs::write(path("7.spool"), "").expect("a file");
    pipe("7.spool-wal");
    fs::write(path("notes.txt"), "notes").expect("a file");
    let spooled = start(folder.path(), &database, 64 * MIB);
    spooled.append(50..100);
    spooled.wait_until_drained();
    assert_eq!(stored(&database), expected(0..100));
    assert_eq!(spooled.spool.state().unreadable_files, 7);
    spooled.end();
    let left = files(folder.path());
    assert_eq!(left.len(), 7, "{left:?}");
    assert!(left.iter().all(|file| file.owner == FileOwner::Unreadable), "{left:?}");
}

#[test]
fn files_without_a_segment_are_deleted_or_named() {
    let (folder, database) = (tempfile::tempdir().expect("a folder"), Database::new(Backend::Sqlite));
    let path = |name: &str| folder.path().join(name);
    fs::write(path("1.lock"), "").expect("a file");
    fs::create_dir(path("2.lock")).expect("a folder");
    fs::write(path("3.spool-wal"), "requests").expect("a file");
    // A process may be creating it.
    fs::write(path("4.lock"), "").expect("a file");
    for name in ["1.lock", "2.lock", "3.spool-wal"] {
        File::open(path(name)).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("a time");
    }
    let named = || -> Vec<(String, FileOwner)> {
        files(folder.path()).into_iter().filter(|file| file.name.len() == 1).map(|file| (file.name, file.owner)).collect()
    };
    let entry = |name: &str, owner| (name.to_owned(), owner);
    let (stuck, log) = (entry("2", FileOwner::LeftOver), entry("3", FileOwner::Unreadable));
    assert_eq!(named(), [entry("1", FileOwner::LeftOver), stuck.clone(), log.clone()]);
    let spooled = start(folder.path(), &database, 64 * MIB);
    assert_eq!(spooled.spool.state().unreadable_files, 1, "the log may hold requests");
    assert_eq!(named(), [stuck, log]);
    assert!(!path("1.lock").exists() && path("4.lock").exists());
    spooled.end();
}

/// Copies what is in a folder now, as a crash at this moment would leave it.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

#[test]
fn requests_before_a_damage_are_drained_and_the_file_is_kept() {
    let [folder, damaged] = [(), ()].map(|()| tempfile::tempdir().expect("a folder"));
    let ended = start_without_database(folder.path(), 64 * MIB);
    (0..40).for_each(|number| ended.append(number..number + 1));
    copy(folder.path(), damaged.path());
    ended.end();
    let log = files(damaged.path()).remove(0).name + ".spool-wal";
    let mut bytes = fs::read(damaged.path().join(&log)).expect("the log");
    // Zeros follow the log.
    let middle = bytes.iter().rposition(|byte| *byte != 0).expect("a log") / 2;
    bytes[middle] = !bytes[middle];
    fs::write(damaged.path().join(&log), bytes).expect("the log");
    let database = Database::new(Backend::Sqlite);
    let spooled = start(damaged.path(), &database, 64 * MIB);
    spooled.wait("reported", |state| state.unreadable_files == 1 && state.pending == 0);
    let stored = stored(&database);
    assert!(stored.len() > 5 && expected(0..40).starts_with(&stored), "{stored:?}");
    spooled.end();
    let left = files(damaged.path());
    assert_eq!(left.iter().map(|file| file.owner).collect::<Vec<_>>(), [FileOwner::Damaged]);
    assert!(damaged.path().join(log.replace(".spool-wal", ".damaged-wal")).exists(), "the log is kept");
}

#[test]
fn request_over_which_the_gateway_panics_is_set_aside() {
    let (folder, database) = (tempfile::tempdir().expect("a folder"), Database::new(Backend::Sqlite));
    let bad = format!("MessageSid=SM{:032}&", 13);
    let panics = move |request: &waybill::store::RawRequest| {
        let body = request.body.as_ref().expect("a body");
        assert!(!body.starts_with(bad.as_bytes()), "a bug that one request triggers");
    };
    let spooled = start_with(open(&database), folder.path(), 64 * MIB, panics);
    spooled.append(0..60);
    spooled.wait("drained but for one", |state| state.pending == 1);
    spooled.append(60..100);
    spooled.wait("drained but for one", |state| state.pending == 1);
    assert_eq!(stored(&database).len(), 99);
    spooled.end();
    let next = start(folder.path(), &database, 64 * MIB);
    next.wait_until_drained();
    assert_eq!(stored(&database), expected(0..100));
    next.end();
}
