//! Segments: read back after a crash, damaged in any way, and deleted.

use std::{
    fs::{self, File},
    path::Path,
    sync::mpsc,
    thread,
};

use super::{
    file::{self, Appender, FileError, PAGE_SIZE, Row, VERSION},
    folder,
    inspect::{FileOwner, inspect},
    log,
    paths::{DAMAGED, Paths, SEGMENT},
    segment::Segment,
    zeros::Zeros,
};
use crate::time::Timestamp;

fn row(number: i64) -> Row {
    let body = format!("body {number} \0").repeat(usize::try_from(number).unwrap() * 10).into_bytes();
    Row { received_at: 1_000_000 * number, head: format!("{{\"v\":1,\"n\":{number}}}"), body: body.into() }
}

fn create(folder: &Path) -> (Segment, Appender) {
    Segment::create(folder, Timestamp::from_seconds(1_773_500_000).unwrap(), false).unwrap()
}

fn append(segment: &Segment, appender: &mut Appender, numbers: std::ops::RangeInclusive<i64>) {
    let rows: Vec<Row> = numbers.map(row).collect();
    appender.append(segment.next(), &rows).unwrap();
    segment.appended(&rows).unwrap();
}

/// The segments of a folder that no process owns.
fn adopt(folder: &Path) -> Vec<Segment> {
    let others = folder::survey(folder, &std::collections::BTreeSet::new()).unwrap().others;
    others.into_iter().filter_map(|paths| Segment::adopt(paths).unwrap()).collect()
}

/// A copy of the files as they are while a process has them open, without what a crash would take.
fn after_crash(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if !entry.path().to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

#[test]
fn requests_are_read_back_as_appended_by_this_process_and_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, mut appender) = create(folder.path());
    append(&segment, &mut appender, 1..=3);
    append(&segment, &mut appender, 4..=50);
    segment.set_drained(2);
    assert_eq!((segment.pending(), segment.oldest().map(Timestamp::seconds)), (48, Some(1)), "until the next are drained");
    segment.set_oldest(3_000_000);
    assert_eq!(segment.oldest().map(Timestamp::seconds), Some(3));
    let copy = after_crash(folder.path());
    let adopted = adopt(copy.path()).remove(0);
    assert_eq!((adopted.pending(), adopted.oldest().map(Timestamp::seconds)), (48, Some(3)));
    for segment in [&segment, &adopted] {
        let read = segment.read(segment.drained(), 1_000, usize::MAX).unwrap();
        let numbers: Vec<i64> = read.iter().map(|(id, _)| *id).collect();
        assert_eq!(numbers, (3..=50).collect::<Vec<_>>());
        for (id, read) in read {
            let row = row(id);
            assert_eq!((read.received_at, read.head, read.body), (row.received_at, row.head, row.body));
        }
        assert_eq!(segment.read(segment.drained(), 5, usize::MAX).unwrap().len(), 5);
        assert_eq!(segment.read(segment.drained(), 1_000, 1).unwrap().len(), 1, "at least one");
    }
    assert!(adopt(folder.path()).is_empty(), "it is owned");
    assert!(adopt(copy.path()).is_empty(), "it is adopted");
    drop(adopted);
    assert_eq!(adopt(copy.path()).len(), 1);
}

/// Takes the lock of a file that another thread has just created.
fn take_first_lock(folder: &Path) -> Option<(String, File)> {
    let entries = fs::read_dir(folder).unwrap().map_while(Result::ok);
    let locks = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "lock"));
    let mut opened = locks.filter_map(|entry| Some((entry.file_name().into_string().ok()?, File::open(entry.path()).ok()?)));
    // Not one that was deleted in between.
    opened.find(|(name, file)| file.try_lock_shared().is_ok() && folder.join(name).exists())
}

#[test]
fn lock_that_another_process_holds_delays_no_segment_and_stays_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, taken) = mpsc::channel();
    let path = folder.path().to_owned();
    let watcher = thread::spawn(move || {
        let taken = std::iter::repeat_with(|| take_first_lock(&path)).find_map(|taken| taken);
        sender.send(taken.expect("a lock")).unwrap();
    });
    let (name, lock) = loop {
        let (segment, appender) = create(folder.path());
        drop(appender);
        if let Ok(taken) = taken.try_recv() {
            break taken;
        }
        segment.paths.remove().unwrap();
    };
    watcher.join().unwrap();
    assert!(!folder.path().join(name).exists());
    drop(lock);
}

#[test]
fn log_is_never_copied_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, mut appender) = create(folder.path());
    append(&segment, &mut appender, 1..=200);
    let sizes = |segment: &Paths| [segment.segment(), segment.log()].map(|file| fs::metadata(file).unwrap().len());
    let paths = segment.paths.clone();
    let before = sizes(&paths);
    assert!(before[1] > 100 << 10, "{before:?}");
    drop(appender);
    assert_eq!(sizes(&paths), before);
    drop(segment);
    assert_eq!(sizes(&paths), before);
    let files = inspect(folder.path()).unwrap();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert_eq!((file.owner, file.pending, file.bytes), (FileOwner::None, 200, paths.size()));
    assert_eq!([file.oldest, file.newest].map(|time| time.unwrap().seconds()), [1, 200]);
    assert_eq!(sizes(&paths), before);
    let adopted = adopt(folder.path()).remove(0);
    assert_eq!(inspect(folder.path()).unwrap()[0].owner, FileOwner::Process);
    adopted.set_drained(200);
    assert_eq!(inspect(folder.path()).unwrap()[0].pending, 0);
    assert!(adopted.is_done());
    adopted.paths.remove().unwrap();
    drop(adopted);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn requests_overwrite_the_zeros_at_the_end_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, mut appender) = create(folder.path());
    let length = || fs::metadata(segment.paths.log()).unwrap().len();
    let mut zeros = Zeros::new(&segment.paths.log(), 2 << 20).unwrap();
    zeros.follow(&[], || appender.log_end()).unwrap();
    for number in 1..=100 {
        let before = length();
        append(&segment, &mut appender, number..=number);
        assert_eq!(length(), before);
        zeros.follow(&[row(number)], || appender.log_end()).unwrap();
        let end = appender.log_end().unwrap();
        assert!((end + (16 << 10)..=end + (64 << 10)).contains(&length()), "{end} of {}", length());
    }
    // Without the next zeros SQLite extends the log.
    let before = length();
    append(&segment, &mut appender, 101..=150);
    assert!(length() > before);
    zeros.follow(&[], || appender.log_end()).unwrap();
    append(&segment, &mut appender, 151..=152);
    let copy = after_crash(folder.path());
    let adopted = adopt(copy.path()).remove(0);
    assert_eq!((adopted.pending(), adopted.is_damaged()), (152, false));
    assert!(adopted.read(0, 1_000, usize::MAX).unwrap().iter().all(|(id, read)| read.body == row(*id).body));
}

#[test]
fn lost_files_make_an_append_fail() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, mut appender) = create(folder.path());
    append(&segment, &mut appender, 1..=1);
    segment.paths.remove().unwrap();
    let rows = [row(2)];
    let outcome = appender.append(segment.next(), &rows).map_err(FileError::from);
    assert!(outcome.is_err() || segment.appended(&rows).is_err());
    assert_eq!(segment.next(), 2, "it is not counted");
}

#[test]
fn files_that_cannot_be_read_are_distinguished() {
    let folder = tempfile::tempdir().unwrap();
    let adopt = |name: &str| Segment::adopt(Paths::new(folder.path(), name)).map(|adopted| adopted.is_some());
    let path = |name: &str| folder.path().join(format!("{name}{SEGMENT}"));
    fs::write(path("text"), "no database, but long enough for the header of one\n".repeat(100)).unwrap();
    fs::write(path("empty"), "").unwrap();
    for (name, sql) in [("other", "CREATE TABLE a (b)".to_owned()), ("newer", format!("PRAGMA user_version = {}", VERSION + 1))] {
        file::execute(&path(name), &sql);
    }
    for damaged in ["text", "empty", "other"] {
        assert!(matches!(adopt(damaged), Err(FileError::Damaged)), "{damaged}");
    }
    assert!(matches!(adopt("newer"), Err(FileError::Newer)));
    assert!(matches!(adopt("missing"), Err(FileError::Unavailable(_))));
    Paths::new(folder.path(), "text").rename_damaged().unwrap();
    assert!(folder.path().join(format!("text{DAMAGED}")).exists());
    let owners: Vec<FileOwner> = inspect(folder.path()).unwrap().iter().map(|file| file.owner).collect();
    assert_eq!(owners, [FileOwner::Damaged, FileOwner::LaterVersion, FileOwner::Damaged, FileOwner::Damaged]);
}

const LOST: u64 = u64::MAX;

#[test]
fn damage_in_the_middle_of_the_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (segment, mut appender) = create(folder.path());
    for number in 1..=10 {
        append(&segment, &mut appender, number..=number);
    }
    let copy = after_crash(folder.path());
    let (path, paths) = (segment.paths.log(), Paths::new(copy.path(), segment.paths.name()));
    let log = fs::read(path).unwrap();
    let frame = 24 + usize::try_from(PAGE_SIZE).unwrap();
    // A transaction of one small request is a frame.
    let cut = |bytes: usize| log.get(..bytes).unwrap().to_vec();
    let flipped = |place: usize| log.iter().enumerate().map(|(at, byte)| if at == place { !byte } else { *byte }).collect();
    let damages = [
        ("none", log.clone(), 10),
        ("torn at its end", cut(log.len() - 100), 9),
        ("without its last frame", cut(log.len() - frame), 9),
        ("in its last frame", flipped(log.len() - 100), 9),
        ("in the middle", flipped(log.len() / 2), LOST),
        ("in the first frame", flipped(32 + 100), LOST),
        ("in the header", flipped(0), LOST),
        ("in the salt", flipped(17), LOST),
        ("empty", Vec::new(), 0),
        ("zeros", vec![0; log.len()], 0),
        (
            "in the header and the first frame",
            log.iter().enumerate().map(|(at, byte)| if at < 32 + frame { 0 } else { *byte }).collect(),
            LOST,
        ),
    ];
    for ((damage, bytes, pending), zeros) in damages.iter().flat_map(|damage| [0, 100, 3 * frame].map(|zeros| (damage, zeros))) {
        fs::write(paths.log(), [&bytes[..], &vec![0; zeros]].concat()).unwrap();
        assert_eq!(log::is_damaged(&paths.log()).unwrap(), *pending == LOST, "{damage} and {zeros} zeros");
        let adopted = Segment::adopt(paths.clone()).unwrap().unwrap();
        assert_eq!(adopted.is_damaged(), *pending == LOST, "{damage} and {zeros} zeros");
        assert!(adopted.is_damaged() || adopted.pending() == *pending, "{damage}: {} requests", adopted.pending());
    }
    assert!(!log::is_damaged(&copy.path().join("missing")).unwrap());
}
