//! Checks the tables by plain SQL: every acknowledged callback is stored once, and no row is without those it belongs to.

use std::fmt;

use crate::{
    callback::{self, BODY},
    support::database::Database,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lost,
    Duplicated,
    Partial,
}

pub const LOST: &str = "acknowledged, but without its message, its event, its request or its exact body";
pub const DUPLICATE_MESSAGES: &str = "messages stored more than once";
pub const DUPLICATE_EVENTS: &str = "events stored more than once";
pub const DUPLICATE_BODIES: &str = "bodies stored more than once";
pub const WITHOUT_BODY: &str = "requests without a body";
pub const WITHOUT_EVENT: &str = "processed requests without an event";
pub const WITHOUT_REQUEST: &str = "events without a request";
pub const WITHOUT_MESSAGE: &str = "events without a message";
pub const REVISION: &str = "messages whose revision is not the number of their events";
pub const QUARANTINED: &str = "requests quarantined, though each can be parsed";

/// Rules, each with the query that counts violations. Each message has one callback, so it has one event and one body.
const RULES: [(Kind, &str, &str); 10] = [
    (
        Kind::Lost,
        LOST,
        "FROM acknowledged a WHERE NOT EXISTS (SELECT 1 FROM message_external_ids m \
         JOIN webhook_events e ON e.mapping_id = m.id AND e.external_id = m.external_id \
         JOIN webhook_requests r ON r.id = e.request_id JOIN webhook_bodies b ON b.request_id = r.id \
         WHERE m.external_id = a.external_id AND b.body = {body})",
    ),
    (Kind::Duplicated, DUPLICATE_MESSAGES, "- count(DISTINCT external_id) FROM message_external_ids"),
    (Kind::Duplicated, DUPLICATE_EVENTS, "- count(DISTINCT external_id) FROM webhook_events"),
    (Kind::Duplicated, DUPLICATE_BODIES, "- count(DISTINCT body) FROM webhook_bodies"),
    (
        Kind::Partial,
        WITHOUT_BODY,
        "FROM webhook_requests r WHERE NOT EXISTS (SELECT 1 FROM webhook_bodies b WHERE b.request_id = r.id)",
    ),
    (
        Kind::Partial,
        WITHOUT_EVENT,
        "FROM webhook_requests r LEFT JOIN (SELECT DISTINCT request_id FROM webhook_events) e ON e.request_id = r.id \
         WHERE r.state = 'processed' AND e.request_id IS NULL",
    ),
    (
        Kind::Partial,
        WITHOUT_REQUEST,
        "FROM webhook_events e WHERE NOT EXISTS (SELECT 1 FROM webhook_requests r WHERE r.id = e.request_id)",
    ),
    (
        Kind::Partial,
        WITHOUT_MESSAGE,
        "FROM webhook_events e WHERE e.external_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message_external_ids m \
         WHERE m.id = e.mapping_id AND m.external_id = e.external_id)",
    ),
    (
        Kind::Partial,
        REVISION,
        "FROM message_external_ids m WHERE m.revision <> (SELECT count(*) FROM webhook_events e WHERE e.mapping_id = m.id)",
    ),
    (Kind::Partial, QUARANTINED, "FROM webhook_requests WHERE state <> 'processed'"),
];

/// Stores the acknowledged ids in a table, so that queries can compare them.
pub fn store_acknowledged(database: &Database, acknowledged: &[u64]) {
    // Waits for a killed gateway's transaction that the server is still running.
    database.lock().release();
    let inserts = acknowledged.chunks(500).map(|chunk| {
        let rows: Vec<String> = chunk.iter().map(|&number| format!("('{}')", callback::external_id(number))).collect();
        format!("INSERT INTO acknowledged VALUES {};", rows.join(", "))
    });
    let inserts: String = inserts.collect();
    // The primary key rejects an id that was counted twice.
    let table = "CREATE TABLE acknowledged (external_id TEXT PRIMARY KEY NOT NULL)";
    database.execute(&format!("BEGIN; {table}; {inserts} COMMIT; ANALYZE"));
}

/// Findings of a check.
pub struct Findings {
    acknowledged: i64,
    pub stored: i64,
    broken: Vec<(Kind, &'static str, i64)>,
    /// SQLite's report on its file, if the file is damaged.
    integrity: Vec<String>,
}

/// Checks a database with [`store_acknowledged`]d callbacks.
pub fn check(database: &Database) -> Findings {
    let body = match database {
        Database::Sqlite { .. } => format!("CAST(replace('{BODY}', '{{id}}', a.external_id) AS BLOB)"),
        Database::Postgres { .. } => format!("convert_to(replace('{BODY}', '{{id}}', a.external_id), 'UTF8')"),
    };
    let count = |rest: &str| -> i64 {
        let sql = format!("SELECT CAST((SELECT count(*) {rest}) AS TEXT) AS row");
        database.query(&sql).concat().parse().expect("a number")
    };
    let broken = RULES.iter().map(|&(kind, name, rest)| (kind, name, count(&rest.replace("{body}", &body)))).collect();
    let integrity = match database {
        Database::Sqlite { .. } => database.query("SELECT integrity_check AS row FROM pragma_integrity_check"),
        Database::Postgres { .. } => Vec::new(),
    };
    Findings {
        acknowledged: count("FROM acknowledged"),
        stored: count("FROM message_external_ids"),
        broken,
        integrity: integrity.into_iter().filter(|finding| finding != "ok").collect(),
    }
}

impl Findings {
    /// Number of rows that violate the rule of that name.
    pub fn broken(&self, rule: &str) -> i64 {
        self.broken.iter().filter(|(_, name, _)| *name == rule).map(|(_, _, count)| count).sum()
    }

    fn sum(&self, kind: Kind) -> i64 {
        self.broken.iter().filter(|(other, _, _)| *other == kind).map(|(_, _, count)| count).sum()
    }

    /// Acknowledged callbacks that are stored completely.
    pub fn present(&self) -> i64 {
        self.acknowledged - self.sum(Kind::Lost)
    }

    /// Fails and lists every violated rule.
    pub fn assert_sound(&self) {
        let broken: Vec<String> =
            self.broken.iter().filter(|(_, _, count)| *count != 0).map(|(_, name, count)| format!("{count} {name}")).collect();
        assert!(broken.is_empty() && self.integrity.is_empty(), "{self}: {broken:?} {:?}", self.integrity);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, duplicated, partial) = (self.sum(Kind::Lost), self.sum(Kind::Duplicated), self.sum(Kind::Partial));
        let (acknowledged, present) = (self.acknowledged, self.present());
        write!(
            formatter,
            "{acknowledged} acknowledged, {present} present, {lost} lost, {duplicated} duplicated, {partial} partial rows"
        )
    }
}
