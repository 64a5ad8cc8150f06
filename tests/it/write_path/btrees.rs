//! The B-trees that a callback writes to. Each costs a page that is read, logged and written back. An additional index makes these
//! tests fail.

use std::{collections::BTreeSet, fs};

use waybill::{callback::Callback, endpoint::Endpoint};

use super::on_postgres::statistics_of;
use crate::{
    store::{all_at_once, endpoint, open, status},
    support::{database::Database, direct::Direct},
};

/// B-trees with ascending or nearly ascending keys, which grow at their end. The name of a table denotes the B-tree of its ids.
const IN_ORDER: [&str; 5] =
    ["message_external_ids", "webhook_bodies", "webhook_events", "webhook_events_mapping_id", "webhook_requests"];

/// B-trees with random keys, each of whose entries is on a different page.
const RANDOM: [&str; 2] = ["message_external_ids_key", "webhook_requests_dedupe_key"];

type Trees = BTreeSet<String>;

/// B-trees written by a callback for an unknown message. Only on Postgres do transactions commit out of id order, so the feed needs
/// an index there.
fn written_by_first_status(database: &Database) -> Trees {
    let mut trees: Trees = IN_ORDER.into_iter().chain(RANDOM).map(str::to_owned).collect();
    if let Database::Postgres { .. } = database {
        trees.insert("webhook_events_by_txid".to_owned());
    }
    trees
}

/// B-trees written by a later status: its own rows and, on SQLite, its message's.
fn written_by_later_status(database: &Database) -> Trees {
    let mut trees = written_by_first_status(database);
    trees.remove("message_external_ids_key");
    if let Database::Postgres { .. } = database {
        trees.remove("message_external_ids");
    }
    trees
}

/// Appends one callback and nothing else.
fn append(store: &Direct, endpoint: &Endpoint, callback: Callback) {
    all_at_once(store, endpoint, &[callback]).remove(0).expect("stored");
}

/// The B-trees that a callback writes to.
fn written(database: &Database, endpoint: &Endpoint, callback: Callback) -> Trees {
    match database {
        Database::Sqlite { .. } => {
            let store = open(database);
            let file = store.file().expect("a file").display().to_string();
            let length = || fs::read(format!("{file}-wal")).map_or(0, |log| log.len());
            let before = length();
            append(&store, endpoint, callback);
            let log = fs::read(format!("{file}-wal")).expect("a log");
            trees_of_pages(database, &pages(&log, before))
        }
        Database::Postgres { .. } => {
            // An empty index has one page; its first entry adds another.
            let before = grown(database);
            let tables = statistics_of(database, |store| append(store, endpoint, callback));
            let mut trees: Trees = grown(database).difference(&before).cloned().collect();
            // An update that is not HOT adds an entry to every index of the table.
            let moved = tables.into_iter().filter(|(_, table)| table.updated > table.hot);
            moved.for_each(|(name, _)| trees.extend(indexes(database, &format!("t.relname = '{name}'"))));
            trees
        }
    }
}

/// The pages in the frames of a write-ahead log after that byte (sqlite.org/fileformat2.html, "WAL File Format").
fn pages(log: &[u8], from: usize) -> BTreeSet<u32> {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let number = |place: usize| u32::from_be_bytes(log[place..place + 4].try_into().expect("four bytes"));
    let frame = FRAME_HEADER + usize::try_from(number(8)).expect("the size of a page");
    let pages: BTreeSet<u32> = (from.max(HEADER)..log.len()).step_by(frame).map(number).collect();
    assert!(!pages.is_empty(), "nothing was written");
    pages
}

fn trees_of_pages(database: &Database, pages: &BTreeSet<u32>) -> Trees {
    let pages: Vec<String> = pages.iter().map(u32::to_string).collect();
    let names = database.query(&format!("SELECT DISTINCT name AS row FROM dbstat WHERE pageno IN ({})", pages.join(", ")));
    // The schema's first page also holds the length of the file.
    names.into_iter().filter(|name| name != "sqlite_schema").collect()
}

/// The indexes with more than one page.
fn grown(database: &Database) -> Trees {
    indexes(database, "pg_relation_size(i.indexrelid) > current_setting('block_size')::bigint")
}

/// The indexes of all tables, and of their TOAST tables, that satisfy a condition.
fn indexes(database: &Database, condition: &str) -> Trees {
    let names = database.query(&format!(
        "SELECT regexp_replace(i.indexrelid::regclass::text, '_pkey$', '') AS row FROM pg_class AS t \
         JOIN pg_index AS i ON i.indrelid IN (t.oid, t.reltoastrelid) \
         WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' AND {condition}"
    ));
    names.into_iter().collect()
}

/// Empties the tables of requests and events on Postgres, so that the next entry of each index is its first.
fn truncate_requests(database: &Database) {
    if let Database::Postgres { .. } = database {
        database.execute("TRUNCATE webhook_requests, webhook_bodies, webhook_events");
    }
}

/// Stores a message with two statuses.
fn known_message(database: &Database, endpoint: &Endpoint, is_registered: bool) {
    let store = open(database);
    append(&store, endpoint, status(endpoint, "SM1", "queued"));
    if is_registered {
        database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-7')");
        database.execute("UPDATE message_external_ids SET message_id = 7");
    }
    append(&store, endpoint, status(endpoint, "SM1", "sending"));
    store.close();
    truncate_requests(database);
}

crate::databases! {
    fn new_callback_writes_to_listed_btrees_only(database) {
        open(&database).close();
        let endpoint = endpoint();
        let written = written(&database, &endpoint, status(&endpoint, "SM1", "queued"));
        assert_eq!(written, written_by_first_status(&database));
    }

    fn later_status_writes_to_at_most_six_btrees(database) {
        let endpoint = endpoint();
        known_message(&database, &endpoint, false);
        let written = written(&database, &endpoint, status(&endpoint, "SM1", "sent"));
        assert_eq!(written, written_by_later_status(&database));
    }

    fn later_status_of_registered_message_writes_to_at_most_six_btrees(database) {
        let endpoint = endpoint();
        known_message(&database, &endpoint, true);
        let written = written(&database, &endpoint, status(&endpoint, "SM1", "sent"));
        assert_eq!(written, written_by_later_status(&database));
    }
}
