//! Eight gateways on one database, and the rows that a case creates.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    receive::receive,
    time::Timestamp,
};

use super::{
    case::{Arrival, Case, Message, Table, WRITERS, When},
    expected::{self, Event, Row, order},
    extended::extended,
    facts::{BASE, ID, MAPPED},
    wire,
};
use crate::support::{database::Database, direct::Direct, gateway::verifier};

const VARIABLES: [(&str, &str); 12] = [
    ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
    ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
    ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
    ("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k"),
    ("SIGNALWIRE_SIGNING_KEY", "PSK_3f1c9a0e5b7d42688c14d2a96f0b7e35"),
    ("SIGNALWIRE_URL_TOKEN", "sw-9d530c4e1b7a9d3f5268806e2f4a1c7b"),
    ("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053"),
    ("MIFUMO_URL_TOKEN", "mf-0c4e1b7a9d3f5268806e2f4a1c7b9d53"),
    ("CONVERSATION_WEBHOOK_SECRET", "b17d9f3c5a8e4062917c3e5f0a8b6d24"),
    ("CONVERSATION_URL_TOKEN", "cv-7a9d3f52b688006e2f4a1c7b9d530c4e"),
    ("CONVERSATION_RATE_LIMIT", "0"),
    ("CONVERSATION_MAX_CONCURRENT", "0"),
];

/// Columns that depend on when a row is stored, and not on its events.
const NOT_FOLDED: [&str; 3] = ["id", "created_at", "updated_at"];

pub struct Bench {
    stores: Vec<Direct>,
    endpoints: BTreeMap<&'static str, Endpoint>,
    runtime: tokio::runtime::Runtime,
    pub database: Database,
}

/// The rows that a case creates.
#[derive(Debug)]
pub struct Observed {
    messages: Vec<Value>,
    inbound: Vec<Value>,
    events: Vec<Value>,
}

impl Observed {
    /// The rows of one message in the order of their recipients.
    pub fn rows(&self, message: &Message) -> Vec<Value> {
        let table = if message.table == Table::Messages { &self.messages } else { &self.inbound };
        let mut rows: Vec<Value> = table.iter().filter(|row| row["service_type"] == message.provider).cloned().collect();
        rows.sort_by(|one, other| order(&one["recipient_key"], &other["recipient_key"]));
        rows
    }

    /// The same rows, in which a state key that is the greatest among the row's events is cut to rank and time.
    pub fn comparable(&self, message: &Message) -> Vec<Value> {
        let mut rows = self.rows(message);
        for row in rows.iter_mut().filter(|row| row.get("state_key").is_some()) {
            let events = self.events(message, row["recipient_key"].as_str().unwrap_or_default());
            let greatest = events.iter().filter_map(|event| event["state_key"].as_str()).max().unwrap_or_default();
            if row["state_key"] == greatest {
                row["state_key"] = greatest.get(..18).unwrap_or_default().into();
            }
        }
        rows
    }

    /// The rows of `webhook_events` about one row of a message.
    fn events(&self, message: &Message, recipient_key: &str) -> Vec<&Value> {
        let is_inbound = message.table == Table::InboundMessages;
        let of_table = |event: &&Value| (event["event_type"] == "message.received") == is_inbound;
        let of_row = |event: &&Value| event["service_type"] == message.provider && event["recipient_key"] == recipient_key;
        self.events.iter().filter(of_table).filter(of_row).collect()
    }
}

impl Bench {
    pub fn new(database: Database) -> Self {
        let env: Env = VARIABLES.into_iter().collect();
        let endpoints = Config::load(&env).expect("a configuration").config.endpoints;
        let endpoints = endpoints.into_iter().map(|endpoint| match endpoint.spec.name {
            "twilio" => ("twilio", extended(endpoint).build()),
            name => (name, endpoint.build()),
        });
        let stores = (0..WRITERS).map(|_| Direct::open(&database)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { stores, endpoints: endpoints.collect(), runtime, database }
    }

    /// Runs a case on empty tables: its requests at their writers, the application's writes, and the sweep.
    pub fn run(&self, case: &Case) -> Observed {
        self.database.clear();
        let callbacks = |message: &Message| {
            let endpoint = &self.endpoints[message.provider];
            (0..message.requests.len()).map(|request| wire::callback(endpoint, message, request)).collect()
        };
        let callbacks: Vec<Vec<Callback>> = case.messages.iter().map(callbacks).collect();
        self.write(case, When::Before);
        let before = if case.writes(When::During) { case.arrivals.len() / 2 } else { 0 };
        let (first, second) = case.arrivals.split_at(before);
        self.receive(case, &callbacks, first);
        std::thread::scope(|scope| {
            scope.spawn(|| self.write(case, When::During));
            self.receive(case, &callbacks, second);
        });
        self.write(case, When::After);
        if case.needs_sweep() {
            let now = Timestamp::from_seconds(BASE + 200).expect("an instant");
            self.runtime.block_on(self.stores[0].sweep(now)).expect("a sweep");
        }
        self.observe()
    }

    /// Writes the application's rows of that time with plain SQL.
    fn write(&self, case: &Case, when: When) {
        const REGISTER: &str = "INSERT INTO communication_metrics (id, reference) VALUES";
        if when == When::Before {
            self.database.execute(&format!("{REGISTER} ({MAPPED}, 'mapped')"));
        }
        if case.registers == when {
            self.database.execute(&format!("{REGISTER} (1, 'order-1'), (2, 'order-2')"));
        }
        for message in case.messages.iter().filter(|message| message.maps == Some(when)) {
            self.database.execute(&format!(
                "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES ({MAPPED}, '{ID}', '{}') \
                 ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET message_id = EXCLUDED.message_id",
                message.provider
            ));
        }
    }

    /// Receives all arrivals concurrently, so that each writer forms batches.
    fn receive(&self, case: &Case, callbacks: &[Vec<Callback>], arrivals: &[Arrival]) {
        let timeout = Duration::from_secs(30);
        let received = arrivals.iter().map(|arrival| {
            let endpoint = &self.endpoints[case.messages[arrival.message].provider];
            receive(
                (verifier(), &self.stores[arrival.writer].intake),
                endpoint,
                &callbacks[arrival.message][arrival.request],
                timeout,
            )
        });
        for outcome in self.runtime.block_on(join_all(received)) {
            assert!(!outcome.expect("stored").durable.is_quarantined(), "every request is parsed");
        }
    }

    pub fn observe(&self) -> Observed {
        let folded = |table| {
            let mut rows = self.database.rows(table);
            for row in &mut rows {
                row.as_object_mut().expect("an object").retain(|column, _| !NOT_FOLDED.contains(&column.as_str()));
            }
            rows
        };
        Observed {
            messages: folded("message_external_ids"),
            inbound: folded("inbound_messages"),
            events: self.database.rows("webhook_events"),
        }
    }

    /// The columns of a table that are folded.
    pub fn columns(&self, table: Table) -> Vec<String> {
        let mut columns = self.database.columns(match table {
            Table::Messages => "message_external_ids",
            Table::InboundMessages => "inbound_messages",
        });
        columns.retain(|column| !NOT_FOLDED.contains(&column.as_str()));
        columns.sort();
        columns
    }
}

/// The rows that a message must have, in the order of their recipients. Of events with equal rank and
/// time, the one with the greatest state key in `webhook_events` prevails.
pub fn rows<'c>(message: &'c Message, all: &'c [Event], observed: &Observed) -> Result<Vec<Row<'c>>, String> {
    let mut keys: BTreeSet<&'static str> = all.iter().map(|event| event.recipient_key).collect();
    keys.extend(message.maps.map(|_| ""));
    let row = |recipient_key| {
        let events: Vec<&Event> = all.iter().filter(|event| event.recipient_key == recipient_key).collect();
        let stored = observed.events(message, recipient_key);
        if stored.len() != events.len() {
            return Err(format!("{} rows of webhook_events for {} events", stored.len(), events.len()));
        }
        let winner = if message.table == Table::Messages { winner(&events, &stored)? } else { None };
        Ok(Row { message, recipient_key, events, winner, all })
    };
    keys.into_iter().map(row).collect()
}

/// The event whose row in `webhook_events` has the greatest state key. It must have the greatest rank and of those the latest
/// time.
fn winner<'c>(events: &[&'c Event], stored: &[&Value]) -> Result<Option<&'c Event>, String> {
    let Some(greatest) = stored.iter().max_by(|one, other| order(&one["state_key"], &other["state_key"])) else {
        return Ok(None);
    };
    let is_stored = |event: &&Event| {
        let same = |column: &str| greatest.get(column).cloned().unwrap_or_default() == event.value(column);
        let received_at = greatest["received_at"] == expected::instant(event.received_at);
        let occurred_at = greatest.get("occurred_at").cloned() == event.time.map(expected::instant);
        received_at && occurred_at && ["provider_status", "error_code", "evidence"].into_iter().all(same)
    };
    let first = events.iter().map(|event| event.rank_and_time()).max();
    let candidates = events.iter().copied().filter(|event| Some(event.rank_and_time()) == first);
    let winner = candidates.into_iter().find(is_stored);
    winner.map(Some).ok_or_else(|| format!("the greatest state key is that of another event: {greatest}"))
}
