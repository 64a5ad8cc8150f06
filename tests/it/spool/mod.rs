//! The spool: what it acknowledges comes back, from this process or the next one, once, and within its limit.

mod foreign;
mod limits;
mod outage;

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use waybill::{
    public_url::PublicUrl,
    queue::{
        Queue, QueueError, QueueState, QueuedRequest, SpoolMode, SpoolOptions,
        breaker::Breaker,
        drain::{Drain, Parse},
        spool::{FileOwner, Spool, SpoolFile, inspect},
    },
    replay,
    router::Router,
    store::{RawRequest, Record},
};

use crate::{
    store::{endpoint, open, run, status},
    support::{database::Database, direct::Direct},
};

const MIB: u64 = 1 << 20;

/// A spool that is drained into a store.
pub struct Spooled {
    pub store: Direct,
    pub spool: Spool,
}

/// Starts a spool in a folder, in front of a database.
pub fn start(folder: &Path, database: &Database, max_bytes: u64) -> Spooled {
    start_in_front_of(open(database), folder, max_bytes)
}

/// Starts a spool that cannot be drained.
pub fn start_without_database(folder: &Path, max_bytes: u64) -> Spooled {
    let store = open(&Database::ready(crate::support::database::Backend::Sqlite));
    store.close();
    start_in_front_of(store, folder, max_bytes)
}

fn start_in_front_of(store: Direct, folder: &Path, max_bytes: u64) -> Spooled {
    start_with(store, folder, max_bytes, |_| ())
}

/// Starts a spool that looks at each request before it parses it.
fn start_with(store: Direct, folder: &Path, max_bytes: u64, look: impl Fn(&RawRequest) + Send + Sync + 'static) -> Spooled {
    let listener: PublicUrl = "https://hooks.example.com".parse().expect("a URL");
    let router = Router::new(vec![endpoint()], listener);
    let parse: Parse = Arc::new(move |raw| {
        look(raw);
        replay::parse(&router, raw).ok()
    });
    let drain = Drain::new(&store.store, parse, &Arc::new(Breaker::default()));
    let options = SpoolOptions { folder: folder.to_owned(), mode: SpoolMode::Always, max_bytes };
    let spool = Spool::start(&options, drain).expect("a spool");
    Spooled { store, spool }
}

/// A verified callback, as the queue gets it. Its message is that of the number.
pub fn request(number: usize) -> QueuedRequest {
    let endpoint = endpoint();
    let callback = status(&endpoint, &format!("SM{number:032}"), "sent");
    let verified = endpoint.verify(&callback).expect("a valid signature");
    QueuedRequest::new(&Record::new(&endpoint, &verified, endpoint.parse(&verified).events))
}

impl Spooled {
    /// Appends callbacks at once; all must be acknowledged.
    pub fn append(&self, numbers: std::ops::Range<usize>) {
        for outcome in self.try_append(numbers) {
            outcome.expect("it is appended");
        }
    }

    pub fn try_append(&self, numbers: std::ops::Range<usize>) -> Vec<Result<(), QueueError>> {
        let appended = run(join_all(numbers.map(|number| self.spool.append(request(number)))));
        appended.into_iter().map(|outcome| outcome.map(drop)).collect()
    }

    /// Waits for a state.
    pub fn wait(&self, expected: &str, is_expected: impl Fn(QueueState) -> bool) -> QueueState {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let state = self.spool.state();
            if is_expected(state) {
                return state;
            }
            assert!(Instant::now() < deadline, "not {expected}: {state:?}");
            thread::yield_now();
        }
    }

    pub fn wait_until_drained(&self) {
        self.wait("drained", |state| state.pending == 0);
    }

    /// Ends the process, as far as the spool is concerned.
    pub fn end(self) {
        self.spool.close();
        self.store.close();
    }
}

/// The messages that are stored, each with the number of its events.
pub fn stored(database: &Database) -> Vec<String> {
    database.query("SELECT concat_ws(' ', external_id, revision) AS row FROM message_external_ids ORDER BY external_id")
}

pub fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("SM{number:032} 1")).collect()
}

/// Copies of requests that the database has counted.
pub fn duplicates(database: &Database) -> String {
    database.query("SELECT CAST(coalesce(sum(duplicate_count), 0) AS TEXT) AS row FROM webhook_requests").concat()
}

pub fn size(folder: &Path) -> u64 {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").metadata().map_or(0, |file| file.len())).sum()
}

fn files(folder: &Path) -> Vec<SpoolFile> {
    inspect(folder).expect("a folder")
}

crate::databases! {
    fn acknowledged_requests_are_drained_once(database) {
        let folder = tempfile::tempdir().expect("a folder");
        let spooled = start(folder.path(), &database, 64 * MIB);
        spooled.append(0..1);
        spooled.wait_until_drained();
        spooled.append(1..300);
        spooled.wait_until_drained();
        assert_eq!(stored(&database), expected(0..300));
        assert_eq!(duplicates(&database), "0");
        let state = spooled.spool.state();
        assert_eq!((state.pending, state.oldest, state.is_failing), (0, None, false));
        spooled.spool.close();
        assert!(spooled.spool.state().is_failing, "its writer has ended");
        spooled.end();
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left to drain");
    }

    fn requests_of_a_process_that_has_ended_are_adopted(database) {
        let folder = tempfile::tempdir().expect("a folder");
        let ended = start_without_database(folder.path(), 64 * MIB);
        ended.append(0..200);
        let state = ended.wait("counted", |state| state.pending == 200 && state.oldest.is_some());
        assert_eq!(state.oldest.map(waybill::time::Timestamp::seconds), Some(1_773_500_000));
        let [file] = &files(folder.path())[..] else { panic!("one file") };
        assert_eq!((file.owner, file.pending, file.oldest), (FileOwner::Process, 200, state.oldest));
        ended.end();
        assert_eq!(files(folder.path())[0].owner, FileOwner::None);
        // Two processes look for it at the same time.
        let [one, two] = [(), ()].map(|()| start(folder.path(), &database, 64 * MIB));
        two.append(200..210);
        one.wait_until_drained();
        two.wait_until_drained();
        assert_eq!(stored(&database), expected(0..210));
        assert_eq!(duplicates(&database), "0");
        one.end();
        two.end();
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    fn damaged_file_is_left_and_stops_no_other(database) {
        let folder = tempfile::tempdir().expect("a folder");
        let ended = start_without_database(folder.path(), 64 * MIB);
        ended.append(0..50);
        ended.end();
        let damaged = folder.path().join("20200101T000000000000Z-1-00000000.spool");
        fs::write(&damaged, "not a database".repeat(1_000)).expect("a file");
        let spooled = start(folder.path(), &database, 64 * MIB);
        spooled.wait_until_drained();
        assert_eq!(stored(&database), expected(0..50));
        spooled.end();
        let [file] = &files(folder.path())[..] else { panic!("one file") };
        assert_eq!((file.owner, file.bytes), (FileOwner::Damaged, 14_000));
        assert!(damaged.with_extension("damaged").exists());
    }

    fn request_that_the_database_rejects_stops_no_other_and_is_kept(database) {
        let folder = tempfile::tempdir().expect("a folder");
        let spooled = start(folder.path(), &database, 64 * MIB);
        reject_urls(&database, "%POISON%");
        let rejected = poison();
        run(spooled.spool.append(rejected)).expect("it is appended");
        spooled.append(0..20);
        spooled.wait("drained but for one", |state| state.pending == 1);
        spooled.append(20..40);
        spooled.wait("drained but for one", |state| state.pending == 1);
        assert_eq!(stored(&database), expected(0..40));
        spooled.end();
        let [file] = &files(folder.path())[..] else { panic!("one file") };
        assert_eq!((file.owner, file.is_refused, file.pending), (FileOwner::None, true, 1));
        accept_urls(&database);
        let next = start(folder.path(), &database, 64 * MIB);
        next.wait_until_drained();
        assert_eq!(stored(&database).len(), 41);
        next.end();
    }
}

/// A request whose URL contains `POISON`.
fn poison() -> QueuedRequest {
    let endpoint = endpoint();
    let body = "MessageSid=SMpoison&MessageStatus=sent".to_owned();
    let at = waybill::time::Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let callback = crate::support::callback::signed(&endpoint, format!("{}?x=POISON", endpoint.path()), body, "", at);
    let verified = endpoint.verify(&callback).expect("a valid signature");
    QueuedRequest::new(&Record::new(&endpoint, &verified, endpoint.parse(&verified).events))
}

/// Has the database reject requests, even without their events.
fn reject_urls(database: &Database, pattern: &str) {
    match database {
        Database::Sqlite { .. } => database.execute(&format!(
            "CREATE TRIGGER poison BEFORE INSERT ON webhook_requests WHEN NEW.url LIKE '{pattern}' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )),
        Database::Postgres { .. } => {
            database.execute(&format!("ALTER TABLE webhook_requests ADD CONSTRAINT poison CHECK (url NOT LIKE '{pattern}')"));
        }
    }
}

fn accept_urls(database: &Database) {
    match database {
        Database::Sqlite { .. } => database.execute("DROP TRIGGER poison"),
        Database::Postgres { .. } => database.execute("ALTER TABLE webhook_requests DROP CONSTRAINT poison"),
    }
}
