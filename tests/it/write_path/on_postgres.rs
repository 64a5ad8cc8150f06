//! Statistics of Postgres while callbacks are written: access paths in new tables, and HOT updates.

use std::collections::BTreeMap;

use serde_json::Value;
use waybill::{
    callback::Callback,
    store::{Options, Store},
};

use crate::{
    store::{all_at_once, document, endpoint, status},
    support::{
        database::{Backend, Database},
        direct::Direct,
        poll::wait_until,
    },
};

/// Statistics of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableStatistics {
    /// Number of sequential scans.
    pub scans: i64,
    /// Updated rows, and those updated without a change to any index (HOT).
    pub updated: i64,
    pub hot: i64,
    /// Entries read from its indexes.
    pub entries: i64,
}

/// Writes through a new store, and returns the change in each table's statistics.
pub fn statistics_of(database: &Database, write: impl FnOnce(&Direct)) -> BTreeMap<String, TableStatistics> {
    let Database::Postgres { schema, .. } = database else { panic!("not Postgres") };
    let url = format!("{}&application_name={schema}", database.url()).parse().expect("a database URL");
    let options = Options { max_retries: 20, ..Options::default() };
    // A session reports its statistics when it ends; an idle one delays the report.
    let wait_for_sessions = || {
        let open = format!("SELECT count(*)::text AS row FROM pg_stat_activity WHERE application_name = '{schema}'");
        wait_until("the end of the gateway's sessions", || database.query(&open) == ["0"]);
    };
    Store::open(&url, options.clone()).expect("a store").close();
    wait_for_sessions();
    let before = tables(database);
    let store = Direct::from(Store::attach(&url, options).expect("a store"));
    write(&store);
    store.close();
    drop(store);
    wait_for_sessions();
    let since = |(name, now): (String, TableStatistics)| {
        let then = before.get(&name).copied().unwrap_or_default();
        let difference = TableStatistics {
            scans: now.scans - then.scans,
            updated: now.updated - then.updated,
            hot: now.hot - then.hot,
            entries: now.entries - then.entries,
        };
        (name, difference)
    };
    tables(database).into_iter().map(since).collect()
}

fn tables(database: &Database) -> BTreeMap<String, TableStatistics> {
    let rows = database.query(
        "SELECT json_build_object('name', relname, 'scans', seq_scan, 'updated', n_tup_upd, 'hot', n_tup_hot_upd, 'entries', \
         (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes AS i WHERE i.relid = t.relid))::text AS row \
         FROM pg_stat_user_tables AS t WHERE schemaname = current_schema()",
    );
    let table = |row: String| {
        let row: Value = serde_json::from_str(&row).expect("JSON");
        let number = |name: &str| row[name].as_i64().unwrap_or_default();
        let name = row["name"].as_str().expect("a name").to_owned();
        (
            name,
            TableStatistics {
                scans: number("scans"),
                updated: number("updated"),
                hot: number("hot"),
                entries: number("entries"),
            },
        )
    };
    rows.into_iter().map(table).collect()
}

/// Sends new callbacks, later ones of the same messages, duplicates, and named events; returns their number.
fn send_mixed_callbacks(store: &Direct) -> usize {
    let endpoint = endpoint();
    let mut count = 0;
    for size in [1, 16, 200] {
        for provider_status in ["queued", "sent", "delivered", "sent"] {
            let statuses = (0..size).map(|n| status(&endpoint, &format!("SM{size}-{n}"), provider_status));
            let named = (0..size).map(|n| {
                let event = format!(
                    r#"{{"specversion":"1.0","source":"s","id":"{size}-{n}","type":"com.twilio.messaging.message.{provider_status}","data":{{"messageSid":"SM{size}-{n}"}}}}"#
                );
                document(&endpoint, &format!("[{event}]"))
            });
            let callbacks: Vec<Callback> = statuses.chain(named).collect();
            let outcomes = all_at_once(store, &endpoint, &callbacks);
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            count += outcomes.len();
        }
    }
    count
}

/// Plans are made while the tables are empty and have no statistics, and are cached. Each must use an index, because the cost of
/// reading a table or a whole index grows with the table.
#[test]
fn plans_made_on_empty_tables_use_indexes() {
    let database = Database::new(Backend::Postgres);
    let mut count = 0;
    let tables = statistics_of(&database, |store| count = send_mixed_callbacks(store));
    let is_written = |name: &String| name.starts_with("webhook_") || name.starts_with("message_");
    let written: Vec<(&String, &TableStatistics)> = tables.iter().filter(|(name, _)| is_written(name)).collect();
    assert!(written.len() >= 5, "{tables:?}");
    for (name, table) in written {
        assert_eq!(table.scans, 0, "{name} was read by a sequential scan");
        assert!(table.entries <= i64::try_from(count).expect("few") * 4, "{name}: {table:?} for {count} callbacks");
    }
}

/// A status that is no failure changes no indexed column of its message. The messages are few enough for one page, even if other
/// transactions prevent cleanup.
#[test]
fn later_statuses_are_hot_updates() {
    let database = Database::new(Backend::Postgres);
    let endpoint = endpoint();
    let send_status = |store: &Direct, provider_status: &str| {
        for n in 0..4 {
            all_at_once(store, &endpoint, &[status(&endpoint, &format!("SM{n}"), provider_status)]).remove(0).expect("stored");
        }
    };
    Store::open(&database.url().parse().expect("a database URL"), Options::default()).expect("a store").close();
    database.execute("INSERT INTO communication_metrics (id) VALUES (7)");
    for n in 0..2 {
        database.execute(&format!(
            "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (7, 'SM{n}', 'twilio')"
        ));
    }
    statistics_of(&database, |store| send_status(store, "queued"));
    let tables = statistics_of(&database, |store| {
        for provider_status in ["sending", "sent", "delivered"] {
            send_status(store, provider_status);
        }
    });
    let TableStatistics { updated, hot, .. } = tables["message_external_ids"];
    assert_eq!((updated, hot), (12, 12), "updates, and those that are HOT");
}
