//! Looks at the tables from outside: is everything there that was acknowledged, once, and nothing by halves?

use std::fmt;

use crate::{
    callback::{self, BODY},
    support::database::Database,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lost,
    Doubled,
    Half,
}

pub const LOST: &str = "acknowledged, but without its message, its event, its request or its exact body";
pub const MESSAGES_DOUBLED: &str = "messages there more than once";
pub const EVENTS_DOUBLED: &str = "events there more than once";
pub const BODIES_DOUBLED: &str = "bodies there more than once";
pub const WITHOUT_BODY: &str = "requests without a body";
pub const WITHOUT_EVENT: &str = "processed requests without an event";
pub const WITHOUT_REQUEST: &str = "events without a request";
pub const WITHOUT_MESSAGE: &str = "events without a message";
pub const REVISION: &str = "messages whose revision is not the number of their events";
pub const QUARANTINED: &str = "requests quarantined, though each was readable";

/// What must not be, and the query that counts it. One callback per message, so each message has one event and one body.
const RULES: [(Kind, &str, &str); 10] = [
    (
        Kind::Lost,
        LOST,
        "FROM acknowledged a WHERE NOT EXISTS (SELECT 1 FROM message_external_ids m \
         JOIN webhook_events e ON e.service_type = m.service_type AND e.account = m.account AND e.external_id = m.external_id \
         JOIN webhook_requests r ON r.id = e.request_id JOIN webhook_bodies b ON b.request_id = r.id \
         WHERE m.external_id = a.external_id AND b.body = {body})",
    ),
    (Kind::Doubled, MESSAGES_DOUBLED, "- count(DISTINCT external_id) FROM message_external_ids"),
    (Kind::Doubled, EVENTS_DOUBLED, "- count(DISTINCT external_id) FROM webhook_events"),
    (Kind::Doubled, BODIES_DOUBLED, "- count(DISTINCT body) FROM webhook_bodies"),
    (
        Kind::Half,
        WITHOUT_BODY,
        "FROM webhook_requests r WHERE NOT EXISTS (SELECT 1 FROM webhook_bodies b WHERE b.request_id = r.id)",
    ),
    (
        Kind::Half,
        WITHOUT_EVENT,
        "FROM webhook_requests r WHERE r.state = 'processed' \
         AND NOT EXISTS (SELECT 1 FROM webhook_events e WHERE e.request_id = r.id)",
    ),
    (
        Kind::Half,
        WITHOUT_REQUEST,
        "FROM webhook_events e WHERE NOT EXISTS (SELECT 1 FROM webhook_requests r WHERE r.id = e.request_id)",
    ),
    (
        Kind::Half,
        WITHOUT_MESSAGE,
        "FROM webhook_events e WHERE e.external_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message_external_ids m \
         WHERE m.service_type = e.service_type AND m.account = e.account AND m.external_id = e.external_id)",
    ),
    (
        Kind::Half,
        REVISION,
        "FROM message_external_ids m WHERE m.revision <> (SELECT count(*) FROM webhook_events e \
         WHERE e.service_type = m.service_type AND e.account = m.account AND e.external_id = m.external_id)",
    ),
    (Kind::Half, QUARANTINED, "FROM webhook_requests WHERE state <> 'processed'"),
];

/// Writes the acknowledged ids next to the tables, for the database to compare.
pub fn record(database: &Database, acknowledged: &[u64]) {
    // What a killed gateway's transaction still does on the server ends first; half of it must not be seen.
    database.lock().release();
    let inserts = acknowledged.chunks(500).map(|chunk| {
        let rows: Vec<String> = chunk.iter().map(|&number| format!("('{}')", callback::external_id(number))).collect();
        format!("INSERT INTO acknowledged VALUES {};", rows.join(", "))
    });
    let inserts: String = inserts.collect();
    // The primary key refuses an id that was counted twice.
    let table = "CREATE TABLE acknowledged (external_id TEXT PRIMARY KEY NOT NULL)";
    database.execute(&format!("BEGIN; {table}; {inserts} COMMIT; ANALYZE"));
}

/// What a look found.
pub struct Figures {
    acknowledged: i64,
    pub stored: i64,
    broken: Vec<(Kind, &'static str, i64)>,
    /// What SQLite says about its file, if it is not well.
    integrity: Vec<String>,
}

/// Looks at a database with [`record`]ed acknowledgements.
pub fn look(database: &Database) -> Figures {
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
    Figures {
        acknowledged: count("FROM acknowledged"),
        stored: count("FROM message_external_ids"),
        broken,
        integrity: integrity.into_iter().filter(|finding| finding != "ok").collect(),
    }
}

impl Figures {
    /// How many rows break the rule of that name.
    pub fn broken(&self, rule: &str) -> i64 {
        self.broken.iter().filter(|(_, name, _)| *name == rule).map(|(_, _, count)| count).sum()
    }

    fn sum(&self, kind: Kind) -> i64 {
        self.broken.iter().filter(|(of, _, _)| *of == kind).map(|(_, _, count)| count).sum()
    }

    /// What was acknowledged and is wholly there.
    pub fn present(&self) -> i64 {
        self.acknowledged - self.sum(Kind::Lost)
    }

    /// Fails with every rule that is broken.
    pub fn assert_sound(&self) {
        let broken: Vec<String> =
            self.broken.iter().filter(|(_, _, count)| *count != 0).map(|(_, name, count)| format!("{count} {name}")).collect();
        assert!(broken.is_empty() && self.integrity.is_empty(), "{self}: {broken:?} {:?}", self.integrity);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, doubled, half) = (self.sum(Kind::Lost), self.sum(Kind::Doubled), self.sum(Kind::Half));
        let (acknowledged, present) = (self.acknowledged, self.present());
        write!(formatter, "{acknowledged} acknowledged, {present} present, {lost} lost, {doubled} doubled, {half} half rows")
    }
}
