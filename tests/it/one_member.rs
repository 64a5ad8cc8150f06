//! No name decides alone what a callback is: each member of every recorded JSON callback, sent without the others, changes no row of a
//! message, a call or a room.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waybill::{fixture::Fixture, time::Timestamp};

use crate::support::{database::Backend, gateway::Gateway};

/// Longer texts are ids, numbers and contents, of which one of each name is sent.
const MAX_WORD: usize = 16;

/// The documents that have one member of `value`, at the same place.
fn alone(value: &Value) -> Vec<(String, Value)> {
    let members = value.as_object().into_iter().flatten();
    let within = |(name, member): (&String, &Value)| -> Vec<(String, Value)> {
        let wrapped = |(path, inner): (String, Value)| (format!("/{name}{path}"), json!({ name: inner }));
        match member {
            Value::Object(object) if !object.is_empty() => alone(member).into_iter().map(wrapped).collect(),
            _ => vec![wrapped((String::new(), member.clone()))],
        }
    };
    members.flat_map(within).collect()
}

#[test]
fn one_member_changes_no_row() {
    let variables =
        [("VERIFY_WEBHOOK_SIGNATURES", "false"), ("CONVERSATION_RATE_LIMIT", "0"), ("CONVERSATION_MAX_CONCURRENT", "0")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let gateway = Gateway::start(Backend::Sqlite, Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant"), &variables);
    let mut documents: BTreeMap<String, (&str, Value)> = BTreeMap::new();
    for fixture in Fixture::all().expect("fixtures") {
        let Ok(whole) = serde_json::from_slice::<Value>(&fixture.body) else { continue };
        for (path, document) in alone(&whole) {
            let value =
                document.pointer(&path).map(ToString::to_string).filter(|text| text.len() <= MAX_WORD).unwrap_or_default();
            documents.insert(format!("{}{path} {value}", fixture.spec.name), (fixture.spec.name, document));
        }
    }
    assert!(documents.len() > 500, "{} documents", documents.len());
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    for (provider, document) in documents.values() {
        let response = gateway.post(&format!("/webhooks/{provider}"), &headers, document.to_string().as_bytes());
        assert!([200, 400].contains(&response.status), "{provider} {document}: {}", response.status);
    }
    for table in ["message_external_ids", "inbound_messages", "inbound_parts", "calls", "rooms"] {
        assert_eq!(gateway.database.rows(table), Vec::<Value>::new(), "{table}");
    }
}
