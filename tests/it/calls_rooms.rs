//! Calls and video rooms: the row is the same for every order of events and any number of gateways.

use serde_json::{Value, json};
use waybill::time::{Clock, ManualClock, Timestamp};

use crate::support::{client, database::Database, gateway, gateway::Gateway};

const TOKEN: &str = "swurl-0123456789abcdef0123456789abcdef";

fn variables() -> Vec<(String, String)> {
    vec![("SIGNALWIRE_URL_TOKEN".to_owned(), TOKEN.to_owned())]
}

fn now() -> Timestamp {
    Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant")
}

fn send(address: std::net::SocketAddr, event: &Value) {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let target = format!("/webhooks/signalwire/t/{TOKEN}");
    let response = client::send(address, "POST", &target, &headers, event.to_string().as_bytes());
    assert_eq!(response.status, 200, "{event}");
}

/// The events of one call, in order, as nested and flat documents.
fn call(id: &str) -> Vec<Value> {
    let state = |state: &str, second: u8| json!({ "call_id": id, "call_state": state, "from": "+15551234567", "timestamp": format!("2025-01-15T10:30:{second:02}Z") });
    vec![
        state("queued", 0),
        state("created", 1),
        json!({
            "event_type": "calling.call.state", "timestamp": 1_736_937_004.5,
            "params": { "call_id": id, "call_state": "ringing", "direction": "outbound",
                        "device": { "type": "phone", "params": { "to_number": "+15559876543" } } },
        }),
        state("answered", 10),
        // Reported twice with different values: the row has the earlier time, and the greater of the two reasons.
        json!({ "call_id": id, "call_state": "ended", "timestamp": "2025-01-15T10:31:40Z", "end_reason": "hangup" }),
        json!({ "call_id": id, "call_state": "ended", "timestamp": "2025-01-15T10:31:41Z", "end_reason": "busy" }),
    ]
}

fn room(id: &str) -> Vec<Value> {
    let event = |name: &str, second: u8, more: &Value| {
        let mut event = json!({ "event": name, "room_id": id, "timestamp": format!("2025-01-15T10:30:{second:02}Z") });
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event
    };
    let ada = json!({ "member": { "id": "m1", "name": "Ada" } });
    vec![
        event("room.started", 0, &json!({ "room_name": "standup" })),
        event("member.joined", 1, &ada),
        event("member.left", 20, &ada),
        event("recording.started", 2, &json!({ "recording_id": "r1" })),
        event(
            "recording.completed",
            30,
            &json!({ "recording_id": "r1", "recording_url": "https://example.com/r1", "duration": 28 }),
        ),
        event("room.ended", 31, &json!({})),
    ]
}

/// Orders of six events.
fn orders() -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for _ in 0..6 {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                (0..6).filter(|next| !order.contains(next)).map(|next| [order.clone(), vec![next]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    // Of all 720 every seventh, which have each pair in both orders.
    orders.into_iter().step_by(7).collect()
}

/// The rows of a table without the columns that identify them.
fn rows(database: &Database, table: &str) -> Vec<Value> {
    let mut rows = database.rows(table);
    for row in &mut rows {
        row.as_object_mut()
            .expect("an object")
            .retain(|column, _| !["id", "external_id", "created_at", "state_key"].contains(&column.as_str()));
    }
    rows
}

fn assert_converges_in_every_order(database: Database, events: fn(&str) -> Vec<Value>, table: &str, expected: &Value) {
    let gateway = Gateway::start_on(database, now(), &variables());
    for (number, order) in orders().into_iter().enumerate() {
        let events = events(&format!("id-{number}"));
        for place in order {
            send(gateway.address(), &events[place]);
        }
    }
    let rows = rows(&gateway.database, table);
    assert_eq!(rows.len(), orders().len());
    for row in rows {
        assert_eq!(row, *expected);
    }
}

crate::databases! {
    fn call_converges_in_any_order(database) {
        let expected = json!({
            "service_type": "signalwire", "account": "default", "direction": "outbound", "sender": "+15551234567",
            "recipient": "+15559876543", "status": "ended", "queued_at": "2025-01-15 10:30:00",
            "initiated_at": "2025-01-15 10:30:01", "ringing_at": "2025-01-15 10:30:04.5", "answered_at": "2025-01-15 10:30:10",
            "ended_at": "2025-01-15 10:31:40", "end_reason": "hangup", "answered_seconds": 90, "updated_at": "2026-03-14 15:30:00",
        });
        assert_converges_in_every_order(database, call, "calls", &expected);
    }

    fn room_converges_in_any_order(database) {
        let members = r#"[{"id":"m1","name":"Ada","joined_at":"2025-01-15T10:30:01.000000Z","left_at":"2025-01-15T10:30:20.000000Z"}]"#;
        let recordings = r#"[{"id":"r1","url":"https://example.com/r1","duration":"28","started_at":"2025-01-15T10:30:02.000000Z","completed_at":"2025-01-15T10:30:30.000000Z"}]"#;
        let expected = json!({
            "service_type": "signalwire", "account": "default", "name": "standup", "status": "ended",
            "started_at": "2025-01-15 10:30:00", "ended_at": "2025-01-15 10:30:31", "members": members, "recordings": recordings,
            "updated_at": "2026-03-14 15:30:00",
        });
        assert_converges_in_every_order(database, room, "rooms", &expected);
    }

    // The guide's documents do not name their event; their URLs do.
    fn same_document_at_another_url_is_another_event(database) {
        let gateway = Gateway::start_on(database, now(), &variables());
        let body = br#"{"room_id":"r","room_name":"standup","timestamp":"2025-01-15T10:30:00Z"}"#;
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        for (event, duplicate) in [("room.started", false), ("room.ended", false), ("room.started", true)] {
            let target = format!("/webhooks/signalwire/t/{TOKEN}?event={event}&x={duplicate}");
            let answer = gateway.post(&target, &headers, body).json();
            assert_eq!(answer.get("duplicate").is_some(), duplicate, "{event}");
        }
        let row = gateway.database.rows("rooms").remove(0);
        assert_eq!([&row["started_at"], &row["ended_at"]], ["2025-01-15 10:30:00", "2025-01-15 10:30:00"]);
    }

    // All events of twenty calls are sent at once, each to one of two gateways.
    fn two_gateways_write_one_row(database) {
        let first = Gateway::start_on(database, now(), &variables());
        let second = gateway::start(&first.database.url(), Clock::Manual(ManualClock::new(now())), &variables());
        let calls: Vec<Vec<Value>> = (0..20).map(|number| call(&format!("id-{number}"))).collect();
        std::thread::scope(|scope| {
            for place in 0..6 {
                for (number, events) in calls.iter().enumerate() {
                    let address = if (place + number) % 2 == 0 { first.address() } else { second.public };
                    scope.spawn(move || send(address, &events[place]));
                }
            }
        });
        second.stop();
        let rows = rows(&first.database, "calls");
        assert_eq!(rows.len(), 20);
        assert!(rows.iter().all(|row| row["answered_seconds"] == 90 && row["end_reason"] == "hangup"), "{rows:?}");
    }
}
