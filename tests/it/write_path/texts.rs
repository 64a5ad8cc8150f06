//! Random hostile texts of up to 256 KB in every field of every kind of callback: both databases store them, and with equal rows.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use waybill::{fixture::Fixture, time::Timestamp};

use super::hostile::{self, NOW, Texts};
use crate::support::{
    client,
    database::{BACKENDS, Database},
    gateway::Gateway,
    variable,
};

/// Marks the place of the text, which JSON and forms encode in ways of their own.
const PLACEHOLDER: &str = "HOSTILETEXT";

/// The parts that texts are made of: as bytes and, if JSON has no other way to write them, as an escape.
const UNITS: [(&[u8], Option<&str>); 22] = [
    (b"a", None),
    (b" ", None),
    (b"\0", Some("\\u0000")),
    (b"\xed\xa0\xbd", Some("\\ud83d")),
    (b"\xed\xb8\x80x", Some("\\ude00x")),
    (b"\xff\xc0\x80", None),
    (b"\xf0\x9f\x98\x80", None),
    (b"\xf0\x9f\x98\x80", Some("\\ud83d\\ude00")),
    ("e\u{301}\u{308}".as_bytes(), None),
    ("\u{202e}\u{5d0}\u{5d1} x".as_bytes(), None),
    ("\u{feff}\u{ffff}\u{fffd}".as_bytes(), None),
    ("\u{1f1e9}\u{1f1ea}\u{200d}".as_bytes(), None),
    (b"\r\n", Some("\\r\\n")),
    (b"\x01\x1b[31m\x7f", Some("\\u0001\\u001b[31m\\u007f")),
    (b"'; DROP TABLE calls; --", None),
    (b"\\", Some("\\\\")),
    (b"\"", Some("\\\"")),
    (b"%00%zz&a=b+c", None),
    (b"ada@x.example, ", None),
    (b"9", None),
    (b"+15005550006,", None),
    (b"5.7.1 ", None),
];

/// Whole values that a column's type or a parser may not accept.
const VALUES: [&str; 16] = [
    "",
    "null",
    "1e309",
    "-0",
    "9223372036854775808",
    "0.00000000000000000000000000000000000001",
    "1E-400",
    "NaN",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:60.999999999Z",
    "+275760-09-13T00:00:00Z",
    "-0001-01-01 00:00:00+00",
    "Fri, 31 Feb 2026 25:61:61 +9999",
    "99999999999999",
    "Infinity",
    "{\"a\":[1]}",
];

/// Values of JSON other than texts.
const LITERALS: [&str; 9] =
    ["null", "true", "[]", "{}", "-1", "18446744073709551615", "1e308", "[[[[\"x\"]]]]", "{\"\":{\"\":null}}"];

const LENGTHS: [usize; 8] = [1, 2, 40, 300, 2_800, 9_000, 70_000, 250_000];

/// A text in its two encodings.
struct Hostile {
    json: Vec<u8>,
    form: String,
}

impl Hostile {
    /// The text that a number decides. Long ones are rare, because they are slow.
    fn new(random: &mut Random, longest: usize) -> Self {
        match random.below(10) {
            0 => Self::text(VALUES[random.below(VALUES.len())].as_bytes(), None),
            1 => {
                let literal = LITERALS[random.below(LITERALS.len())];
                Self { json: literal.into(), form: encoded(literal.as_bytes()) }
            }
            2 => {
                let length = random.length().min(longest / 3);
                Self::text(&random.bytes(length), None)
            }
            3..=5 => {
                let mixed: Vec<(&[u8], Option<&str>)> =
                    (0..=random.below(40)).map(|_| UNITS[random.below(UNITS.len())]).collect();
                let json: Vec<u8> = mixed.iter().flat_map(|(bytes, escape)| in_json(bytes, *escape)).collect();
                let bytes: Vec<u8> = mixed.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect();
                Self::text(&bytes, Some(json))
            }
            _ => {
                let (bytes, escape) = UNITS[random.below(UNITS.len())];
                let (length, in_json) = (random.length(), in_json(bytes, escape));
                // The form has three bytes for each.
                let count = (length.min(longest) / in_json.len().max(3 * bytes.len())).max(1);
                Self::text(&bytes.repeat(count), Some(in_json.repeat(count)))
            }
        }
    }

    fn text(bytes: &[u8], json: Option<Vec<u8>>) -> Self {
        let json = json.unwrap_or_else(|| in_json(bytes, None));
        Self { json: [b"\"", &json[..], b"\""].concat(), form: encoded(bytes) }
    }

    /// The callback with this text in place of the placeholder.
    fn put(&self, mut fixture: Fixture) -> Fixture {
        let quoted = format!("\"{PLACEHOLDER}\"");
        fixture.body = replaced(&fixture.body, quoted.as_bytes(), &self.json);
        fixture.body = replaced(&fixture.body, PLACEHOLDER.as_bytes(), self.form.as_bytes());
        fixture.request.query = fixture.request.query.replace(PLACEHOLDER, &self.form);
        hostile::update_digest(&mut fixture);
        fixture
    }
}

/// The bytes within a JSON text; those that are not UTF-8 stay as they are.
fn in_json(bytes: &[u8], escape: Option<&str>) -> Vec<u8> {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        0..0x20 => format!("\\u{byte:04x}").into_bytes(),
        _ => vec![*byte],
    };
    escape.map_or_else(|| bytes.iter().flat_map(escaped).collect(), |escape| escape.as_bytes().to_vec())
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

fn replaced(body: &[u8], placeholder: &[u8], text: &[u8]) -> Vec<u8> {
    match body.windows(placeholder.len()).position(|window| window == placeholder) {
        Some(at) => [&body[..at], text, &body[at + placeholder.len()..]].concat(),
        None => body.to_vec(),
    }
}

/// Numbers that a seed determines.
struct Random {
    seed: String,
    drawn: u64,
}

impl Random {
    /// A seed of its own for each run, unless `HOSTILE_SEED` repeats one.
    fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("random bytes");
        Self { seed: variable("HOSTILE_SEED").unwrap_or_else(|| hex::encode(random)), drawn: 0 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.drawn += 1;
        let digest = Sha256::new().chain_update(&self.seed).chain_update(self.drawn.to_be_bytes()).finalize();
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number % u64::try_from(limit).expect("64 bits")).expect("64 bits")
    }

    fn length(&mut self) -> usize {
        let place = self.below(LENGTHS.len()).min(self.below(LENGTHS.len())).min(self.below(LENGTHS.len()));
        LENGTHS[place]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let number = self.below(1 << 30);
        let seed = format!("{}{number}", self.seed);
        hostile::random_bytes(&seed).take(count).collect()
    }
}

/// One callback for each place of each kind of callback.
fn callbacks(recorded: &[Fixture], random: &mut Random) -> Vec<Fixture> {
    let places = hostile::places(recorded).into_iter().enumerate();
    places
        .map(|(number, (fixture, place))| {
            let mut texts = Texts::parse(fixture).expect("parsed before");
            let longest = texts.longest(true);
            texts.put(&place, PLACEHOLDER);
            let marked = texts.into_fixture(fixture, format!("{}-{number}", fixture.name));
            let hostile = Hostile::new(random, longest).put(marked);
            assert!(hostile.body.windows(PLACEHOLDER.len()).all(|window| window != PLACEHOLDER.as_bytes()), "{}", hostile.name);
            hostile
        })
        .collect()
}

/// Sends the callbacks to a gateway on each database; returns the responses.
fn send(gateway: &Gateway, callbacks: &[Fixture], seed: &str) -> Vec<u16> {
    let now = Timestamp::parse(NOW).expect("an instant");
    let mut statuses = Vec::with_capacity(callbacks.len());
    for fixture in callbacks {
        let endpoint = gateway.endpoint(&fixture.spec.default_path());
        let status = gateway.send(&fixture.outgoing(endpoint, now)).status;
        let name = format!("{}/{}", fixture.spec.name, fixture.name);
        let is_expected = match status {
            200 | 204 | 400 => true,
            // These proofs have a format for each field.
            401 => ["request", "sms", "md5-plain"].iter().any(|scheme| fixture.request.sign.as_deref() == Some(scheme)),
            _ => false,
        };
        assert!(is_expected, "HOSTILE_SEED={seed}: {name}: {status}");
        assert!(gateway.running().gateway.store.is_writer_healthy(), "HOSTILE_SEED={seed}: {name}");
        statuses.push(status);
    }
    statuses
}

/// The rows of a table without columns that differ between databases: ids and the times of writing.
fn rows(database: &Database, table: &str) -> Vec<Value> {
    const OWN: [&str; 9] = [
        "id",
        "txid",
        "events_at",
        "request_id",
        "inbound_message_id",
        "inbound_set_id",
        "mapping_id",
        "created_at",
        "updated_at",
    ];
    let mut rows = database.rows(table);
    rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| row.retain(|name, _| !OWN.contains(&name.as_str())));
    rows
}

#[test]
fn hostile_texts_are_stored_with_equal_rows_on_both_databases() {
    let recorded = hostile::recorded();
    let mut random = Random::new();
    let callbacks = callbacks(&recorded, &mut random);
    let seed = random.seed;
    let [sqlite, postgres] = std::thread::scope(|scope| {
        BACKENDS
            .map(|backend| {
                let (recorded, callbacks, seed) = (&recorded, &callbacks, &seed);
                scope.spawn(move || {
                    let gateway = hostile::gateway(Database::ready(backend), recorded);
                    let statuses = send(&gateway, callbacks, seed);
                    (gateway, statuses)
                })
            })
            .map(|sent| sent.join().expect("sent"))
    });
    assert_eq!(sqlite.1, postgres.1, "HOSTILE_SEED={seed}");
    for (gateway, _) in [&sqlite, &postgres] {
        assert_eq!(client::get(gateway.running().ops, "/readyz", &[]).status, 200, "HOSTILE_SEED={seed}");
        let poison = gateway.database.query("SELECT url AS row FROM webhook_requests WHERE reason = 'poison'");
        assert!(poison.is_empty(), "HOSTILE_SEED={seed}: {poison:?}");
    }
    let [mut indexed, mut other] = [&sqlite, &postgres].map(|(gateway, _)| hostile::indexed_columns(&gateway.database));
    indexed.sort();
    other.sort();
    assert_eq!(indexed, other, "the databases index different texts");
    let tables =
        ["webhook_requests", "webhook_events", "message_external_ids", "inbound_messages", "inbound_parts", "calls", "rooms"];
    for table in tables {
        let (one, other) = (rows(&sqlite.0.database, table), rows(&postgres.0.database, table));
        assert!(one.len() == other.len() && !one.is_empty(), "HOSTILE_SEED={seed}: {table}: {} and {}", one.len(), other.len());
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one, other, "HOSTILE_SEED={seed}: {table}");
        }
    }
}
