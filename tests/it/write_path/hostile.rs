//! The sender of a message controls texts in its callback. A callback with long and incompressible texts is stored, and its keys
//! stay short.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use waybill::{fixture::Fixture, time::Timestamp};

use crate::support::{client, database::Database, gateway::Gateway};

/// Longer than the limit for a message id, for an entry of a Postgres index, for a page of either database, and nearly a whole body.
const LENGTHS: [usize; 4] = [300, 2_800, 9_000, 70_000];
const LONGEST: usize = 240_000;

pub const NOW: &str = "2026-03-14T15:30:00Z";

/// A length that fits into a URL.
const LONGEST_IN_URL: usize = 6_000;

/// The length of an address, the longest text in a key.
const LONGEST_KEY: i64 = 320;

/// Bytes determined by the seed.
pub fn random_bytes(seed: &str) -> impl Iterator<Item = u8> {
    (0_u32..).flat_map(move |n| Sha256::new().chain_update(seed).chain_update(n.to_be_bytes()).finalize())
}

/// Incompressible text of about that many bytes, determined by the seed.
fn incompressible(seed: &str, length: usize, is_ascii: bool) -> String {
    let hashes = random_bytes(seed);
    if is_ascii {
        return URL_SAFE_NO_PAD.encode(hashes.take(length / 4 * 3).collect::<Vec<u8>>());
    }
    let bytes: Vec<u8> = hashes.take(length / 3 * 2).collect();
    let ideograph = |pair: &[u8]| char::from_u32(0x4e00 + u32::from(u16::from_be_bytes([pair[0], pair[1]])) % 0x5000);
    bytes.chunks_exact(2).filter_map(ideograph).collect()
}

/// The texts of a callback, which can be replaced.
pub enum Texts {
    Json(Value),
    /// Names and values, and whether they are in the query.
    Form(Vec<(String, String)>, bool),
}

impl Texts {
    pub fn parse(fixture: &Fixture) -> Option<Self> {
        if let Ok(document @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice(&fixture.body) {
            return Some(Self::Json(document));
        }
        let is_query = fixture.body.is_empty();
        let text = if is_query { fixture.request.query.clone() } else { String::from_utf8(fixture.body.clone()).ok()? };
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Self::Form(text.split('&').filter_map(pair).collect(), is_query))
    }

    fn places(&self) -> Vec<String> {
        match self {
            Self::Json(document) => {
                let mut places = Vec::new();
                collect(document, "", &mut places);
                places
            }
            Self::Form(pairs, _) => pairs.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// The length of the longest text that the request can hold.
    pub fn longest(&self, is_ascii: bool) -> usize {
        match self {
            Self::Json(_) => LONGEST,
            Self::Form(_, is_query) => {
                let longest = if *is_query { LONGEST_IN_URL } else { LONGEST };
                // Other bytes are escaped, as three bytes each.
                if is_ascii { longest } else { longest / 3 }
            }
        }
    }

    pub fn put(&mut self, place: &str, text: &str) {
        match self {
            Self::Json(document) => *document.pointer_mut(place).expect("a place") = text.into(),
            Self::Form(pairs, _) => {
                let text = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                pairs.iter_mut().find(|(name, _)| name == place).expect("a place").1 = text;
            }
        }
    }

    /// The callback with these texts.
    pub fn into_fixture(self, fixture: &Fixture, name: String) -> Fixture {
        let mut changed = Fixture { name, ..fixture.clone() };
        match self {
            Self::Json(document) => changed.body = document.to_string().into_bytes(),
            Self::Form(pairs, is_query) => {
                let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
                if is_query { changed.request.query = text } else { changed.body = text.into_bytes() }
            }
        }
        update_digest(&mut changed);
        changed
    }
}

/// Corrects the digest of the body in the query, if there is one.
pub fn update_digest(fixture: &mut Fixture) {
    if let Some(place) = fixture.request.query.find("bodySHA256=") {
        let digest = hex::encode(Sha256::digest(&fixture.body));
        let value = place + "bodySHA256=".len();
        fixture.request.query.replace_range(value..value + digest.len(), &digest);
    }
}

/// The places of all texts and numbers of a document.
fn collect(value: &Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect(value, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, &format!("{place}/{index}"), places);
            }
        }
        Value::String(_) | Value::Number(_) => places.push(place.to_owned()),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Every recorded callback that a gateway with the recorded settings accepts.
pub fn recorded() -> Vec<Fixture> {
    Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable).collect()
}

/// The tables whose rows a callback changes.
fn tables(fixture: &Fixture) -> Vec<&String> {
    fixture.expected["rows"].as_object().into_iter().flatten().map(|(table, _)| table).collect()
}

/// Each place of each kind of callback, with a callback that has it. A kind is a provider and the tables that change.
pub fn places(recorded: &[Fixture]) -> Vec<(&Fixture, String)> {
    let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
    for fixture in recorded {
        let places = Texts::parse(fixture).map(|texts| texts.places()).unwrap_or_default();
        let kind = format!("{} {:?}", fixture.spec.name, tables(fixture));
        all.extend(places.into_iter().filter(|place| seen.insert((kind.clone(), place.clone()))).map(|place| (fixture, place)));
    }
    all
}

/// Callbacks with a long text at one place, for each place of each kind of callback, and with long texts at all places.
fn hostile(recorded: &[Fixture]) -> Vec<Fixture> {
    let mut all = Vec::new();
    for (number, (fixture, place)) in places(recorded).into_iter().enumerate() {
        let is_ascii = number.is_multiple_of(2);
        // The longest text is rare, because it is slow.
        let length = if number.is_multiple_of(29) { LONGEST } else { LENGTHS[number / 2 % LENGTHS.len()] };
        let mut texts = Texts::parse(fixture).expect("parsed before");
        texts.put(&place, &incompressible(&number.to_string(), length.min(texts.longest(is_ascii)), is_ascii));
        all.push(texts.into_fixture(fixture, format!("{}-{number}", fixture.name)));
    }
    let mut kinds = BTreeSet::new();
    for fixture in recorded.iter().filter(|fixture| kinds.insert((fixture.spec.name, tables(fixture)))) {
        let Some(mut texts) = Texts::parse(fixture) else { continue };
        let (number, places) = (all.len(), texts.places());
        let length = texts.longest(true) / places.len().max(1);
        for place in &places {
            texts.put(place, &incompressible(&format!("{number}{place}"), length, true));
        }
        all.push(texts.into_fixture(fixture, format!("{}-{number}", fixture.name)));
    }
    all
}

pub fn gateway(database: Database, recorded: &[Fixture]) -> Gateway {
    let settings = recorded.iter().flat_map(|fixture| {
        fixture.request.settings.iter().map(|(name, value)| (format!("{}_{name}", fixture.spec.prefix()), value.clone()))
    });
    let mut variables: BTreeMap<String, String> = settings.collect();
    variables.extend(["CONVERSATION_RATE_LIMIT", "CONVERSATION_MAX_CONCURRENT"].map(|name| (name.to_owned(), "0".to_owned())));
    let variables: Vec<(String, String)> = variables.into_iter().collect();
    Gateway::start_on(database, Timestamp::parse(NOW).expect("an instant"), &variables)
}

/// The longest text or bytes in each indexed column that a callback can fill, and the column's name. An entry of a Postgres index has
/// at most 2,704 bytes, of all its columns together.
const BOUNDS: [(i64, &[&str]); 4] = [
    (16, &["service_type", "dedupe_key", "event_key", "stored_key", "owner", "role", "channel", "reason"]),
    (32, &["account", "name", "table_name"]),
    (255, &["external_id", "embedded_id", "reference", "sender", "recipient"]),
    (LONGEST_KEY, &["recipient_key", "address"]),
];

fn bound(column: &str) -> i64 {
    let found = BOUNDS.iter().find(|(_, columns)| columns.contains(&column));
    found.unwrap_or_else(|| panic!("the indexed column {column} has no bound")).0
}

/// Every indexed column of text or bytes, as table and column. Times, which SQLite stores as text, have a fixed length.
pub fn indexed_columns(database: &Database) -> Vec<(String, String)> {
    let rows = match database {
        Database::Sqlite { .. } => database.query(
            "SELECT DISTINCT t.name || ' ' || i.name AS row FROM sqlite_schema AS t, pragma_index_list(t.name) AS l, \
             pragma_index_info(l.name) AS i JOIN pragma_table_info(t.name) AS c ON c.name = i.name \
             WHERE t.type = 'table' AND c.type IN ('TEXT', 'BLOB') AND i.name NOT LIKE '%\\_at' ESCAPE '\\' ORDER BY 1",
        ),
        Database::Postgres { .. } => database.query(
            "SELECT DISTINCT concat(t.relname, ' ', a.attname) AS row FROM pg_class AS t JOIN pg_index AS i ON i.indrelid = t.oid \
             JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) \
             WHERE t.relnamespace = current_schema()::regnamespace AND a.atttypid IN ('text'::regtype, 'bytea'::regtype) ORDER BY 1",
        ),
    };
    rows.iter()
        .map(|row| row.split_once(' ').map(|(table, column)| (table.to_owned(), column.to_owned())).expect("two words"))
        .collect()
}

fn longest(database: &Database, table: &str, column: &str) -> i64 {
    let length = match database {
        Database::Sqlite { .. } => format!("length(CAST({column} AS BLOB))"),
        Database::Postgres { .. } => format!("octet_length({column})"),
    };
    database
        .query(&format!("SELECT CAST(coalesce(max({length}), 0) AS TEXT) AS row FROM {table}"))
        .concat()
        .parse()
        .expect("a number")
}

crate::databases! {
    fn long_texts_are_stored_with_bounded_keys(database) {
        let recorded = recorded();
        let hostile = hostile(&recorded);
        let gateway = gateway(database, &recorded);
        let now = Timestamp::parse(NOW).expect("an instant");
        let mut rejected = 0;
        for fixture in &hostile {
            let name = format!("{}/{}", fixture.spec.name, fixture.name);
            let endpoint = gateway.endpoint(&fixture.spec.default_path());
            let status = gateway.send(&fixture.outgoing(endpoint, now)).status;
            match status {
                200 | 204 | 400 => {}
                // This scheme has no delimiters between signed fields, so a field that does not match its format is rejected.
                401 if fixture.request.sign.as_deref() == Some("request") => rejected += 1,
                _ => panic!("{name}: {status}"),
            }
            assert!(gateway.running().gateway.store.is_writer_healthy(), "{name}");
        }
        assert!(hostile.len() > 500 && rejected * 20 < hostile.len(), "{rejected} of {} are rejected", hostile.len());
        assert_eq!(client::get(gateway.running().ops, "/readyz", &[]).status, 200);
        let database = &gateway.database;
        let stored = database.query("SELECT CAST(sum(1 + duplicate_count) AS TEXT) AS row FROM webhook_requests").concat();
        assert_eq!(stored, (hostile.len() - rejected).to_string());
        let poison = database.query("SELECT DISTINCT service_type AS row FROM webhook_requests WHERE reason = 'poison'");
        assert!(poison.is_empty(), "the database rejected rows of {poison:?}");
        let columns = indexed_columns(database);
        assert!(columns.contains(&("message_external_ids".to_owned(), "recipient_key".to_owned())), "{columns:?}");
        for (table, column) in columns {
            let longest = longest(database, &table, &column);
            assert!(longest <= bound(&column), "{table}.{column} has a key of {longest} bytes");
        }
    }
}
