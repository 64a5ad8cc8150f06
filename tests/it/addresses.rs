//! One notion of a person: the API, the pages, the commands and erasure find the same messages, whatever the notation of the address
//! in a callback and of the one that is typed.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waybill::time::Timestamp;

use crate::{
    shutdown::command,
    support::{
        client,
        database::Database,
        gateway::{Gateway, OPS_TOKEN},
    },
};

const NOW: i64 = 1_773_500_000;

const FORM: &str = "application/x-www-form-urlencoded";

/// A person's address in the notations of providers, and as operators type it.
struct Person {
    reported: &'static [&'static str],
    typed: &'static [&'static str],
}

const NUMBERS: &[Person] = &[
    Person {
        reported: &[
            "+15558675310",
            "15558675310",
            "whatsapp:+15558675310",
            "RCS:+15558675310",
            "Messenger: 15558675310",
            "+1 (555) 867-5310",
        ],
        typed: &[
            "+15558675310",
            "1-555-867-5310",
            "0015558675310",
            "WhatsApp:+15558675310",
            "tel:+1-555-867-5310",
            "+1 (555) 867-5310",
            "\u{202a}＋1\u{a0}555\u{2011}867\u{2011}5310\u{202c}",
        ],
    },
    Person { reported: &["+155586753101"], typed: &["+155586753101", "155586753101"] },
    Person { reported: &["+15558675311"], typed: &["15558675311"] },
    Person {
        reported: &["07860123456", "07860 123456", "+07860123456"],
        typed: &["07860123456", "07860 123 456", "(07860) 123456"],
    },
    Person { reported: &["+447860123456", "447860123456"], typed: &["+44 (0)7860 123456", "447860123456"] },
];

const EMAILS: &[Person] = &[
    Person {
        reported: &[
            "ada@x.example",
            "Ada Lovelace <ADA@X.Example>",
            "\"Lovelace, Ada\" <Ada@x.example>",
            "\"Acme\" ada@x.example",
            "bob@y.example, \"Lovelace, Ada\" <ada@x.example>",
            "Team: ada@x.example, carol@z.example;",
            "=?utf-8?Q?=C3=89l=C3=A9onore,_B?= <ada@x.example>",
        ],
        typed: &[
            "ada@x.example",
            "ADA@X.EXAMPLE",
            "Ada <ada@x.example>",
            "\"Acme\" Ada@x.example",
            "mailto:ada@x.example",
            "ada@x.example.",
        ],
    },
    Person { reported: &["xada@x.example"], typed: &["XADA@x.example"] },
    Person { reported: &["ada@x.example.org"], typed: &["ada@x.example.org"] },
    Person {
        reported: &["ada+news@x.example", "Ada <Ada+News@X.example>"],
        typed: &["ada+news@x.example", "ada news@x.example"],
    },
    Person { reported: &["news@x.example"], typed: &["News@x.example"] },
    Person {
        reported: &["renée@x.example", "RENE\u{301}E@x.example"],
        typed: &["renée@x.example", "RENÉE@X.example", "rene\u{301}e@x.example"],
    },
    Person { reported: &["rene@x.example"], typed: &["rene@x.example"] },
    Person { reported: &["\"a b\"@x.example", "Ada <\"A B\"@x.example>"], typed: &["\"a b\"@X.example"] },
    Person {
        reported: &["a@MÜNCHEN.example", "a@xn--mnchen-3ya.example"],
        typed: &["a@münchen.example", "A@XN--MNCHEN-3YA.example"],
    },
];

fn gateway(database: Database) -> Gateway {
    let variables = [
        ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
        ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Gateway::start_on(database, Timestamp::from_seconds(NOW).expect("an instant"), &variables)
}

fn encoded(text: &str) -> String {
    percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn send_form(gateway: &Gateway, body: &str) {
    let endpoint = gateway.endpoint("/webhooks/twilio");
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), FORM, body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{body}");
}

/// Sends an e-mail event, whose id is also that of the request.
fn send_event(gateway: &Gateway, id: &str, body: &str) {
    let endpoint = gateway.endpoint("/webhooks/resend");
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", body);
    id.clone_into(&mut outgoing.id);
    outgoing.seconds = NOW;
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{body}");
}

fn email(kind: &str, id: &str, from: &str, to: &Value) -> String {
    json!({ "type": kind, "created_at": "2026-03-14T15:27:11.482Z", "data": { "email_id": id, "from": from, "to": to } })
        .to_string()
}

/// An id without digits, so that it is not part of a number.
fn id(person: usize, notation: usize) -> String {
    let letter = |index: usize| char::from(b'a' + u8::try_from(index).expect("a small number"));
    format!("id-{}-{}", letter(person), letter(notation))
}

/// Sends a message to each person in each notation; returns the ids of each person's messages.
fn send_all(gateway: &Gateway) -> Vec<(&'static Person, BTreeSet<String>)> {
    let mut sent = Vec::new();
    for (index, person) in NUMBERS.iter().chain(EMAILS).enumerate() {
        let ids = (0..person.reported.len()).map(|notation| id(index, notation));
        for (id, to) in ids.clone().zip(person.reported) {
            if index < NUMBERS.len() {
                send_form(gateway, &format!("MessageSid={id}&MessageStatus=delivered&To={}", encoded(to)));
            } else {
                send_event(gateway, &format!("msg_{id}"), &email("email.delivered", &id, "hello@acme.example", &json!([to])));
            }
        }
        sent.push((person, ids.collect()));
    }
    sent
}

fn derive(gateway: &Gateway) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    crate::support::poll::wait_until("the derived table", || {
        runtime.block_on(gateway.running().gateway.store.derive()).expect("derived") == 0
    });
}

fn ids_in(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item["external_id"].as_str().expect("an id").to_owned()).collect()
}

fn found_by_api(gateway: &Gateway, query: &str) -> BTreeSet<String> {
    ids_in(&gateway.ops(&format!("/api/messages?limit=500&{query}"))["messages"])
}

fn found_on_page(gateway: &Gateway, typed: &str, all: &BTreeSet<String>) -> BTreeSet<String> {
    let target = format!("/messages?q={}", encoded(typed));
    let response = client::get(gateway.running().ops, &target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
    let page = String::from_utf8(response.body).expect("UTF-8");
    all.iter().filter(|id| page.contains(id.as_str())).cloned().collect()
}

fn output(database: &Database, arguments: &[&str]) -> Value {
    let output = command().args(arguments).env("DATABASE_URL", database.url()).output().expect("the binary");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The number of messages that erasing the person would redact.
fn counted_by_erase(database: &Database, typed: &str) -> u64 {
    output(database, &["erase", "--recipient", typed, "--dry-run", "--json"])[0]["rows"].as_u64().expect("a number")
}

fn assert_everyone_is_found(gateway: &Gateway, sent: &[(&Person, BTreeSet<String>)]) {
    let all: BTreeSet<String> = sent.iter().flat_map(|(_, ids)| ids.clone()).collect();
    for (person, ids) in sent {
        for typed in person.typed {
            assert_eq!(found_by_api(gateway, &format!("recipient={}", encoded(typed))), *ids, "{typed}");
            assert_eq!(found_on_page(gateway, typed, &all), *ids, "{typed}");
        }
    }
}

crate::databases! {
    fn everyone_is_found_in_every_notation_and_nobody_else(database) {
        let gateway = gateway(database);
        let sent = send_all(&gateway);
        assert_everyone_is_found(&gateway, &sent);
        derive(&gateway);
        assert_everyone_is_found(&gateway, &sent);
        for (person, ids) in &sent {
            let last = person.typed.last().expect("a notation");
            let found = output(&gateway.database, &["messages", "--recipient", last, "--limit", "500", "--json"]);
            assert_eq!(ids_in(&found["messages"]), *ids, "{last}");
            let unambiguous = person.typed.iter().rev().find(|typed| !typed.starts_with("ada news")).expect("a notation");
            assert_eq!(counted_by_erase(&gateway.database, unambiguous), ids.len() as u64, "{unambiguous}");
        }
        // A `+` that was not escaped.
        assert_eq!(found_by_api(&gateway, "recipient=ada+news@x.example"), sent[NUMBERS.len() + 3].1);
        assert_eq!(found_by_api(&gateway, "recipient=+15558675310"), sent[0].1);
        // Everyone on a list, and nothing that is not an address.
        assert_eq!(found_by_api(&gateway, "recipient=BOB@y.example"), BTreeSet::from([id(NUMBERS.len(), 4)]));
        for other in ["y.example", "Acme", "Team", "Lovelace", "hello@acme.example"] {
            assert_eq!(found_by_api(&gateway, &format!("recipient={other}")), BTreeSet::new(), "{other}");
        }
    }

    fn erasing_one_person_leaves_the_others(database) {
        let gateway = gateway(database);
        let sent = send_all(&gateway);
        derive(&gateway);
        for (index, (person, _)) in sent.iter().enumerate() {
            output(&gateway.database, &["erase", "--recipient", person.typed[0], "--json"]);
            for (other, (person, ids)) in sent.iter().enumerate() {
                let expected = if other <= index { &BTreeSet::new() } else { ids };
                let query = format!("recipient={}", encoded(person.typed[0]));
                assert_eq!(found_by_api(&gateway, &query), *expected, "{}, after {index}", person.typed[0]);
            }
        }
        let remaining: BTreeSet<String> = gateway.database.rows("message_addresses").iter()
            .filter(|row| row["role"] == "recipient").map(|row| row["address"].to_string()).collect();
        assert_eq!(remaining, ["\"bob@y.example\"", "\"carol@z.example\""].map(str::to_owned).into());
    }

    fn senders_and_recipients_of_inbound_messages_are_found(database) {
        let gateway = gateway(database);
        let received = |id: &str, from: &str, to: &Value| send_event(&gateway, &format!("msg_{id}"), &email("email.received", id, from, to));
        received("in-a", "\"Lovelace, Ada\" <ADA@x.example>", &json!(["Support <Support@ACME.example>, Sales <sales@acme.example>"]));
        received("in-b", "xada@x.example", &json!(["sales@acme.example"]));
        received("in-c", "ada@x.example", &json!("undisclosed-recipients:;"));
        send_form(&gateway, "MessageSid=SM5&From=RCS%3A%2B15558675310&To=0123456789&Body=hi&NumMedia=0");
        for (query, expected) in [
            ("sender=ada@X.EXAMPLE", &["in-a", "in-c"][..]),
            ("sender=Ada+%3Cada%40x.example%3E", &["in-a", "in-c"]),
            ("recipient=support@acme.example", &["in-a"]),
            ("recipient=SALES@acme.example", &["in-a", "in-b"]),
            ("sender=ADA@x.example&recipient=Sales@acme.example", &["in-a"]),
            ("sender=ada@x.example&recipient=support@acme.example", &["in-a"]),
            ("sender=xada@x.example&recipient=support@acme.example", &[]),
            ("sender=+1-555-867-5310", &["SM5"]),
            ("recipient=0123456789", &["SM5"]),
            ("recipient=undisclosed-recipients:;", &[]),
        ] {
            let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
            assert_eq!(ids_in(&gateway.ops(&format!("/api/inbound?{query}"))["inbound"]), expected, "{query}");
        }
        let rows = gateway.database.rows("inbound_messages");
        let row = |id: &str| rows.iter().find(|row| row["external_id"] == id).expect("a row");
        assert_eq!((&row("in-c")["recipient"], &row("in-c")["sender"]), (&Value::Null, &json!("ada@x.example")));
        assert_eq!(row("in-a")["recipient"], "Support@acme.example, sales@acme.example");
        let short_message = row("SM5");
        assert_eq!((&short_message["sender"], &short_message["recipient"], &short_message["channel"]), (&json!("+15558675310"), &json!("0123456789"), &json!("rcs")));
    }

    // Rows of an older version: keys of another form, and a `+` before a national number.
    fn rows_of_an_older_version_are_indexed_again(database) {
        let gateway = gateway(database);
        send_event(&gateway, "msg_in-a", &email("email.received", "in-a", "ada@x.example", &json!(["sales@acme.example"])));
        send_event(&gateway, "msg_id-a", &email("email.delivered", "id-a", "hello@acme.example", &json!(["a@MÜNCHEN.example"])));
        derive(&gateway);
        let database = gateway.stop();
        database.execute("UPDATE message_addresses SET address = 'old ' || address");
        database.execute("INSERT INTO message_external_ids (external_id, service_type, recipient) VALUES ('id-b', 'vonage', '+07860123456')");
        database.execute(match database {
            Database::Sqlite { .. } => include_str!("../../migrations/sqlite/2026-11-28-010300_address_keys/up.sql"),
            Database::Postgres { .. } => include_str!("../../migrations/postgres/2026-11-28-010300_address_keys/up.sql"),
        });
        let gateway = self::gateway(database);
        for _ in 0..2 {
            assert_eq!(ids_in(&gateway.ops("/api/inbound?sender=Ada@x.example")["inbound"]), BTreeSet::from(["in-a".to_owned()]));
            assert_eq!(found_by_api(&gateway, "recipient=a@xn--mnchen-3ya.example"), BTreeSet::from(["id-a".to_owned()]));
            assert_eq!(found_by_api(&gateway, "recipient=07860123456"), BTreeSet::from(["id-b".to_owned()]));
            derive(&gateway);
        }
    }

    fn escaped_addresses_are_erased_from_bodies(database) {
        let gateway = gateway(database);
        let bodies = [
            r#"{"type":"contact.created","data":{"to":"ren\u00e9e@x.example"}}"#,
            r#"{"type":"contact.created","data":{"to":"REN\u00C9E\u0040X.example"}}"#,
            r#"{"type":"contact.created","data":{"to":"rene\u0301e@x.example"}}"#,
            r#"{"type":"contact.created","data":{"to":"Ren\u00e9e <renée@x.example>"}}"#,
            r#"{"type":"contact.created","data":{"url":"https:\/\/x.example\/?to=ren%c3%A9e%40x.example"}}"#,
            r#"{"type":"contact.created","data":{"payload":"{\"to\":\"ren\\u00e9e@x.example\"}"}}"#,
            r#"{"type":"contact.created","data":{"tel":"+1\u00a0555\u2011867\u20115310"}}"#,
            r#"{"type":"contact.created","data":{"tel":"\uff0b15558675310"}}"#,
        ];
        let others = [
            r#"{"type":"contact.created","data":{"to":"rene@x.example, xrenée@x.example, o'renée@x.example"}}"#,
            r#"{"type":"contact.created","data":{"tel":"+155586753101"}}"#,
        ];
        for (index, body) in bodies.iter().chain(&others).enumerate() {
            send_event(&gateway, &format!("msg_{index}"), body);
        }
        let form = |sid: &str, more: &str| send_form(&gateway, &format!("MessageSid={sid}&MessageStatus=sent&ErrorMessage={}", encoded(more)));
        form("SM1", r#"{"to":"Renée \u003cren\u00e9e@x.example\u003e"}"#);
        form("SM2", "https://x.example/?to=ren%C3%A9e%40x.example");
        assert_eq!(gateway.database.rows("webhook_bodies").len(), bodies.len() + others.len() + 2);
        for person in ["Renée <RENÉE@x.example>", "+1 555 867 5310"] {
            output(&gateway.database, &["erase", "--recipient", person, "--json"]);
        }
        let rest: BTreeSet<String> = gateway.database.rows("webhook_bodies").iter()
            .map(|row| String::from_utf8(hex::decode(row["body"].as_str().expect("hex")).expect("hex")).expect("UTF-8"))
            .collect();
        assert_eq!(rest, others.map(str::to_owned).into());
    }
}
