//! Whatever the order, the duplicates and the writer, the same events make the same row, on either database.
//!
//! Generated event sets travel as signed callbacks through the pipeline into eight stores on one database. The row is
//! compared with a short fold written here, and a last-write-wins variant shows that the comparison can fail.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{Config as ProptestConfig, TestError, TestRunner},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waybill::{
    callback::{Callback, VerifiedCallback},
    config::{Config, DatabaseUrl, Env},
    endpoint::Endpoint,
    receive::receive,
    store::{Options, Store},
    time::Timestamp,
};

use crate::support::{callback::signed, database::Database};

const WRITERS: usize = 8;
const ID: &str = "message-1";

/// What a provider's word means: rank, status, evidence.
type Meaning = (&'static str, u8, &'static str, Option<&'static str>);

const RESEND: [Meaning; 10] = [
    ("email.scheduled", 5, "scheduled", None),
    ("email.sent", 30, "sent", None),
    ("email.delivery_delayed", 32, "deferred", None),
    ("email.clicked", 39, "delivered", Some("inferred")),
    ("email.delivered", 40, "delivered", Some("mta")),
    ("email.failed", 50, "failed", None),
    ("email.suppressed", 50, "rejected", None),
    ("email.bounced", 51, "bounced", None),
    ("email.opened", 0, "registered", None),
    ("email.complained", 0, "registered", None),
];

const TWILIO: [Meaning; 10] = [
    ("teleported", 1, "unknown", None),
    ("accepted", 10, "accepted", None),
    ("queued", 15, "queued", None),
    ("sending", 20, "sending", None),
    ("sent", 30, "sent", None),
    ("canceled", 36, "canceled", None),
    ("failed", 40, "failed", None),
    ("undelivered", 41, "undelivered", None),
    ("read", 49, "delivered", Some("inferred")),
    ("delivered", 50, "delivered", Some("carrier")),
];

/// One distinct event.
#[derive(Clone, Debug)]
struct Fact {
    meaning: Meaning,
    /// When it happened, where the provider says so.
    seconds: Option<i64>,
    sender: Option<u8>,
    recipient: Option<u8>,
    embedded: Option<u8>,
}

/// Distinct events of one message, and the order and writers in which their copies arrive.
#[derive(Clone, Debug)]
struct Case {
    provider: &'static str,
    facts: Vec<Fact>,
    arrivals: Vec<(usize, usize)>,
}

fn fact(provider: &'static str) -> impl Strategy<Value = Fact> {
    let meanings = if provider == "resend" { &RESEND } else { &TWILIO };
    let few = || prop::option::of(0..3_u8);
    let seconds = if provider == "resend" { prop::option::of(0..4_i64).boxed() } else { Just(None).boxed() };
    (prop::sample::select(&meanings[..]), seconds, few(), few(), few())
        .prop_map(|(meaning, seconds, sender, recipient, embedded)| Fact { meaning, seconds, sender, recipient, embedded })
}

fn case() -> impl Strategy<Value = Case> {
    prop::sample::select(vec!["resend", "twilio"]).prop_flat_map(|provider| {
        prop::collection::vec(fact(provider), 1..9).prop_flat_map(move |facts| {
            let all: Vec<usize> = (0..facts.len()).collect();
            let copies = prop::collection::vec(0..facts.len(), 0..16);
            let arrivals = copies.prop_map(move |copies| [all.clone(), copies].concat()).prop_shuffle();
            let arrivals = arrivals.prop_flat_map(|order| {
                let writers = prop::collection::vec(0..WRITERS, order.len());
                writers.prop_map(move |writers| order.iter().copied().zip(writers).collect::<Vec<_>>())
            });
            (Just(facts), arrivals).prop_map(move |(facts, arrivals)| Case { provider, facts, arrivals })
        })
    })
}

fn base() -> i64 {
    1_773_500_000
}

/// The fact as the provider would send it.
fn callback(endpoint: &Endpoint, index: usize, fact: &Fact) -> Callback {
    let (target, body) = if endpoint.spec.name == "resend" {
        let mut data = json!({ "email_id": ID });
        let mut set = |name: &str, value: Option<Value>| value.into_iter().for_each(|value| data[name] = value);
        set("from", fact.sender.map(|n| json!(format!("s{n}@a.example"))));
        set("to", fact.recipient.map(|n| json!([format!("r{n}@b.example")])));
        set("tags", fact.embedded.map(|n| json!({ "message_id": format!("order-{n}") })));
        set("bounce", Some(json!({ "type": "Permanent", "subType": "General" })));
        set("failed", Some(json!({ "reason": "reached_daily_quota" })));
        set("suppressed", Some(json!({ "reason": "previous_bounce" })));
        let at = fact.seconds.and_then(|seconds| Timestamp::from_seconds(base() + seconds)).map(|at| at.to_string());
        let body = json!({ "type": fact.meaning.0, "created_at": at, "data": data });
        (endpoint.path(), body.to_string())
    } else {
        let mut body = format!("MessageSid={ID}&MessageStatus={}&Place={index}", fact.meaning.0);
        fact.sender.into_iter().for_each(|n| body += &format!("&From=%2B1000{n}"));
        fact.recipient.into_iter().for_each(|n| body += &format!("&To=%2B2000{n}"));
        let query = fact.embedded.map_or(String::new(), |n| format!("?message_id=order-{n}"));
        (format!("{}{query}", endpoint.path()), body)
    };
    let received_at = Timestamp::from_seconds(base() + 100 + i64::try_from(index).expect("few")).expect("an instant");
    signed(endpoint, target, body, &format!("msg_{index}"), received_at)
}

/// Rank, time and hash of the key: what decides.
fn state_key(endpoint: &Endpoint, callback: &Callback, fact: &Fact) -> String {
    let verified: VerifiedCallback<'_> = endpoint.verify(callback).expect("genuine");
    let event_key = [&verified.proof().request_key()[..], &[0; 4]].concat();
    let micros = fact.seconds.map_or(0, |seconds| (base() + seconds) * 1_000_000);
    let time = u64::try_from(micros).expect("after 1970") + (1 << 63);
    hex::encode([&[fact.meaning.1][..], &time.to_be_bytes(), &Sha256::digest(event_key)[..16]].concat())
}

/// The row that the facts must make, written as plainly as possible.
fn expected(endpoint: &Endpoint, facts: &[Fact]) -> Value {
    let events: Vec<(String, i64, &Fact)> = facts
        .iter()
        .enumerate()
        .map(|(index, fact)| {
            let callback = callback(endpoint, index, fact);
            let at = fact.seconds.map_or(callback.received_at.seconds(), |seconds| base() + seconds);
            (state_key(endpoint, &callback, fact), at, fact)
        })
        .collect();
    let (state_key, status_at, winner) = events.iter().max_by_key(|(key, _, _)| key.clone()).expect("a fact");
    let first = |words: &[&str]| events.iter().filter(|(_, _, fact)| words.contains(&fact.meaning.2)).map(|(_, at, _)| *at).min();
    let first_word = |word: &str| events.iter().filter(|(_, _, fact)| fact.meaning.0 == word).map(|(_, at, _)| *at).min();
    let count = |word: &str| events.iter().filter(|(_, _, fact)| fact.meaning.0 == word).count();
    let evidence = |grade: &str| facts.iter().any(|fact| fact.meaning.3 == Some(grade));
    let greatest = |of: fn(&Fact) -> Option<u8>| facts.iter().filter_map(of).max();
    let embedded: Vec<u8> = facts.iter().filter_map(|fact| fact.embedded).collect();
    let has_receipt = evidence("mta") || evidence("carrier");
    let failed_at = first(&["failed", "rejected", "bounced", "undelivered"]);
    let grade = ["carrier", "mta", "inferred"].into_iter().find(|grade| evidence(grade));
    let is_final = ["delivered", "failed", "rejected", "bounced", "undelivered", "canceled"].contains(&winner.meaning.2);
    let email = endpoint.spec.name == "resend";
    let address = |letter: char, n: u8| match (email, letter) {
        (true, 's') => format!("s{n}@a.example"),
        (true, _) => format!("r{n}@b.example"),
        (false, 's') => format!("+1000{n}"),
        (false, _) => format!("+2000{n}"),
    };
    let mut row = json!({
        "status": winner.meaning.2,
        "is_final": is_final,
        "provider_status": (winner.meaning.2 != "registered").then_some(winner.meaning.0),
        "state_key": state_key,
        "status_at": time(*status_at),
        "delivered_at": first(&["delivered"]).map(time),
        "failed_at": failed_at.map(time),
        "read_at": first_word("read").map(time),
        "opened_at": first_word("email.opened").map(time),
        "open_count": count("email.opened"),
        "clicked_at": first_word("email.clicked").map(time),
        "click_count": count("email.clicked"),
        "complained_at": first_word("email.complained").map(time),
        "has_conflict": (has_receipt && failed_at.is_some()) || embedded.iter().any(|id| *id != embedded[0]),
        "evidence": grade,
        "revision": facts.len(),
        "recipient": greatest(|fact| fact.recipient).map(|n| address('r', n)),
        "sender": greatest(|fact| fact.sender).map(|n| address('s', n)),
        "embedded_id": embedded.iter().min().map(|n| format!("order-{n}")),
        "channel": if email { "email" } else { "sms" },
        "direction": "outbound",
        "service_type": endpoint.spec.name,
        "account": "default",
        "external_id": ID,
        "recipient_key": "",
        "verified_by": format!("{}:0", endpoint.spec.schemes[0].name),
    });
    row.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    row
}

fn time(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).expect("an instant").naive().to_string()
}

/// One message's row, and eight stores that write to it.
struct Bench {
    database: Database,
    stores: Vec<Store>,
    endpoints: BTreeMap<&'static str, Endpoint>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(database: Database) -> Self {
        let env: Env = [
            ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
            ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
            ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
        ]
        .into_iter()
        .collect();
        let config = Config::load(&env).expect("a configuration").config;
        let url: DatabaseUrl = database.url().parse().expect("a database URL");
        let stores = (0..WRITERS)
            .map(|_| Store::open(&url, Options { max_retries: 20, ..Options::default() }).expect("a store"))
            .collect();
        let endpoints = config.endpoints.into_iter().map(|endpoint| (endpoint.spec.name, endpoint)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { database, stores, endpoints, runtime }
    }

    /// Empties the tables, so that every case uses the same keys.
    fn clear(&self) {
        let tables = ["webhook_events", "webhook_bodies", "webhook_requests", "message_external_ids"];
        self.database.execute(&tables.map(|table| format!("DELETE FROM {table};")).concat());
    }

    fn row(&self) -> Value {
        const VARYING: [&str; 6] = ["id", "created_at", "updated_at", "error_code", "error_message", "error_permanence"];
        let mut rows = self.database.rows("message_external_ids");
        assert_eq!(rows.len(), 1, "one message, one row");
        let mut row = rows.remove(0);
        // Every failure of one status has the same error, so the status stands for it.
        row.as_object_mut()
            .expect("an object")
            .retain(|column, _| !VARYING.contains(&column.as_str()) && column != "error_category");
        row
    }

    /// All copies at once: each writer gets its share and makes batches of it as it can.
    fn receive_all(&self, case: &Case) -> Value {
        self.clear();
        let endpoint = &self.endpoints[case.provider];
        let callbacks: Vec<Callback> =
            case.facts.iter().enumerate().map(|(index, fact)| callback(endpoint, index, fact)).collect();
        let received = case
            .arrivals
            .iter()
            .map(|&(index, writer)| receive(&self.stores[writer], endpoint, &callbacks[index], Duration::from_secs(30)));
        let outcomes = self.runtime.block_on(join_all(received));
        let fresh = outcomes.into_iter().filter(|outcome| !outcome.as_ref().expect("stored").committed.is_duplicate()).count();
        assert_eq!(fresh, case.facts.len(), "each event is new exactly once");
        assert_eq!(self.database.rows("webhook_events").len(), case.facts.len(), "one row per distinct event");
        self.row()
    }

    /// What most receivers do: the latest arrival overwrites.
    fn last_write_wins(&self, case: &Case) -> Value {
        self.clear();
        for (index, _) in &case.arrivals {
            self.database.execute(&format!(
                "INSERT INTO message_external_ids (external_id, service_type, status) VALUES ('{ID}', '{}', '{}') \
                 ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET status = excluded.status",
                case.provider, case.facts[*index].meaning.2
            ));
        }
        self.row()
    }
}

fn check(bench: &Bench, apply: impl Fn(&Case) -> Value, columns: Option<&[&str]>) -> Result<(), TestError<Case>> {
    let config = ProptestConfig { cases: 100, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    TestRunner::new(config).run(&case(), |case| {
        let (mut seen, mut wanted) = (apply(&case), expected(&bench.endpoints[case.provider], &case.facts));
        if let Some(columns) = columns {
            for row in [&mut seen, &mut wanted] {
                row.as_object_mut().expect("an object").retain(|column, _| columns.contains(&column.as_str()));
            }
        }
        prop_assert_eq!(seen, wanted);
        Ok(())
    })
}

crate::databases! {
    fn any_order_any_copies_eight_writers_one_row(database) {
        let bench = Bench::new(database);
        if let Err(error) = check(&bench, |case| bench.receive_all(case), None) {
            panic!("{error}");
        }
    }

    fn last_write_wins_is_caught(database) {
        let bench = Bench::new(database);
        let result = check(&bench, |case| bench.last_write_wins(case), Some(&["status"]));
        assert!(matches!(result, Err(TestError::Fail(..))), "a receiver that overwrites must fail the same comparison");
    }
}
