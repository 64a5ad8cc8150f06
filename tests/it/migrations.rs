//! Migrations of both databases, which have the same schema.

use std::{collections::BTreeMap, fs, path::Path};

use waybill::store::{StoreError, migrate, pending_migrations};

use crate::{
    one_way,
    support::{
        client,
        database::{Backend, Database},
        process::Process,
    },
};

const TABLES: [&str; 18] = [
    "audit_log",
    "calls",
    "communication_metrics",
    "endpoint_activity",
    "expired_keys",
    "id_ranges",
    "inbound_messages",
    "inbound_parts",
    "inbound_sets",
    "message_addresses",
    "message_external_ids",
    "positions",
    "rejected_requests",
    "rooms",
    "suppressions",
    "webhook_bodies",
    "webhook_events",
    "webhook_requests",
];

/// Table → column → whether it may be null.
type Columns = BTreeMap<String, BTreeMap<String, bool>>;

fn migrated(backend: Backend) -> Database {
    let database = Database::new(backend);
    migrate(&database.url().parse().expect("a database URL")).expect("migrations");
    // On SQLite in a file of its own, with the columns that the table has on Postgres.
    database.make_rejected();
    database
}

fn columns(database: &Database) -> Columns {
    let column = |table: &str, line: &str| {
        let (name, nullable) = line.split_once(' ').expect("two words");
        (table.to_owned(), name.to_owned(), nullable == "1")
    };
    let mut columns = Columns::new();
    for table in TABLES {
        let sql = match database {
            Database::Sqlite { .. } => {
                format!("SELECT name || ' ' || (1 - \"notnull\") AS row FROM pragma_table_info('{table}')")
            }
            Database::Postgres { schema, .. } => format!(
                "SELECT column_name || ' ' || (CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END) AS row \
                 FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{table}'"
            ),
        };
        for (table, name, nullable) in database.query(&sql).iter().map(|line| column(table, line)) {
            columns.entry(table).or_default().insert(name, nullable);
        }
    }
    columns
}

/// Each unique key as its table and sorted columns, including primary keys.
fn unique_keys(database: &Database) -> Vec<String> {
    let sql = match database {
        Database::Sqlite { .. } => {
            "SELECT t.name || ': ' || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY name)) AS row \
             FROM pragma_table_list t JOIN pragma_index_list(t.name) i WHERE i.\"unique\" = 1 AND t.schema <> 'temp' \
             UNION ALL SELECT t.name || ': ' || c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
             WHERE c.pk = 1 AND c.type = 'INTEGER' AND t.schema <> 'temp'"
                .to_owned()
        }
        Database::Postgres { schema, .. } => format!(
            "SELECT t.relname || ': ' || string_agg(a.attname, ', ' ORDER BY a.attname COLLATE \"C\") AS row \
             FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) \
             WHERE i.indisunique AND t.relnamespace = '{schema}'::regnamespace GROUP BY t.relname, i.indexrelid"
        ),
    };
    let ours = |key: &String| TABLES.iter().any(|table| key.starts_with(&format!("{table}:")));
    let mut keys: Vec<String> = database.query(&sql).into_iter().filter(ours).collect();
    keys.sort();
    keys
}

#[test]
fn databases_have_equal_schemas() {
    let (sqlite, postgres) = (migrated(Backend::Sqlite), migrated(Backend::Postgres));
    assert_eq!(columns(&sqlite), columns(&postgres));
    assert_eq!(columns(&sqlite).keys().map(String::as_str).collect::<Vec<_>>(), TABLES);
    assert_eq!(unique_keys(&sqlite), unique_keys(&postgres));
}

/// The migrations of one database, oldest first.
fn names(backend: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend);
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn migration_folders_match() {
    assert_eq!(names("sqlite"), names("postgres"));
}

/// The nullability of every column in `schema.rs` is that of the migrated database.
#[test]
fn rust_schema_matches_database() {
    let text = include_str!("../../src/store/db/schema.rs");
    let mut in_rust = Columns::new();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            name.clone_into(&mut table);
        } else if let Some((name, kind)) = line.split_once(" -> ").filter(|_| line.ends_with(',')) {
            in_rust.entry(table.clone()).or_default().insert(name.to_owned(), kind.starts_with("Nullable"));
        }
    }
    assert_eq!(in_rust, columns(&migrated(Backend::Postgres)));
}

crate::databases! {
    fn migration_is_idempotent(database) {
        let url = database.url().parse().expect("a database URL");
        let all = names("sqlite");
        assert_eq!(pending_migrations(&url).expect("a list").len(), all.len());
        assert_eq!(migrate(&url).expect("migrations").len(), all.len());
        assert_eq!(pending_migrations(&url).expect("a list").len(), 0);
        assert_eq!(migrate(&url).expect("migrations").len(), 0);
    }

    fn concurrent_start_migrates_once(database) {
        let url = database.url().parse().expect("a database URL");
        let applied: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..5).map(|_| scope.spawn(|| migrate(&url).expect("migrations").len())).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(applied, names("sqlite").len());
    }

    fn five_gateways_start_at_once_on_an_empty_database(database) {
        let gateways: Vec<Process> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..5).map(|_| scope.spawn(|| Process::start(&database, &[]))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a gateway")).collect()
        });
        for (number, gateway) in gateways.iter().enumerate() {
            assert_eq!(client::get(gateway.ops, "/readyz", &[]).status, 200, "gateway {number}");
            assert_eq!(one_way::send(gateway, &[&format!("SM{number}")]).len(), 1, "gateway {number}");
        }
        assert_eq!(database.rows("message_external_ids").len(), gateways.len());
        let versions = database.query("SELECT version AS row FROM __diesel_schema_migrations");
        assert_eq!(versions.len(), names("sqlite").len());
    }

    fn newer_schema_is_rejected(database) {
        let url = database.url().parse().expect("a database URL");
        migrate(&url).expect("migrations");
        database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
        assert!(matches!(migrate(&url), Err(StoreError::NewerSchema)));
    }

    fn down_migrations_revert_up(database) {
        let url = database.url().parse().expect("a database URL");
        migrate(&url).expect("migrations");
        let backend = if matches!(database, Database::Sqlite { .. }) { "sqlite" } else { "postgres" };
        for name in names(backend).into_iter().rev() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend).join(name);
            database.execute(&fs::read_to_string(folder.join("down.sql")).expect("down.sql"));
        }
        assert!(TABLES.iter().all(|table| database.columns(table).is_empty()));
    }
}
