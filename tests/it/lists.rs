//! Operational queries over HTTP: filters, pages, single items by id, statistics.

use serde_json::{Value, json};

use crate::support::{
    client::{self, Response},
    database::Database,
    gateway::{Gateway, OPS_TOKEN},
    twilio,
};

/// 2026-03-14T15:30:00Z
const NOW: i64 = 1_773_502_200;

pub(crate) fn gateway(database: Database) -> Gateway {
    twilio::gateway(database, NOW, &[])
}

pub(crate) fn get(gateway: &Gateway, target: &str) -> Response {
    client::get(gateway.running().ops, target, &[("Authorization", &format!("Bearer {OPS_TOKEN}"))])
}

/// The ids of a page.
pub(crate) fn ids(page: &Value, name: &str) -> Vec<Value> {
    page[name].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(|row| row["id"].clone()).collect()
}

/// The ids of all pages; `meanwhile` runs after each page.
pub(crate) fn paged(gateway: &Gateway, list: &str, filter: &str, limit: usize, meanwhile: impl Fn(usize)) -> Vec<Value> {
    rows(gateway, list, filter, limit, meanwhile).into_iter().map(|row| row["id"].clone()).collect()
}

/// The rows of all pages. A page can be short at any time, because the time of its search is limited.
fn rows(gateway: &Gateway, list: &str, filter: &str, limit: usize, meanwhile: impl Fn(usize)) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let answer = gateway.ops(&format!("/api/{list}?limit={limit}{filter}{cursor}"));
        let found = answer[list].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert!(found.len() <= limit);
        all.extend(found.iter().cloned());
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        meanwhile(page);
    }
    all
}

fn message(database: &Database, id: &str, service: &str, status: &str, created_at: &str) {
    message_to(database, "NULL", id, service, status, created_at);
}

/// Inserts a message with its recipient: the addresses of a row are derived once.
pub(crate) fn message_to(database: &Database, recipient: &str, id: &str, service: &str, status: &str, created_at: &str) {
    database.execute(&format!(
        "INSERT INTO message_external_ids (external_id, service_type, status, created_at, recipient) \
        VALUES ('{id}', '{service}', '{status}', '{created_at}', {recipient})"
    ));
}

fn request(database: &Database, key: u8, state: &str, reason: &str, received_at: &str) {
    let key = match database {
        Database::Sqlite { .. } => format!("X'{key:02x}'"),
        Database::Postgres { .. } => format!("'\\x{key:02x}'"),
    };
    database.execute(&format!(
        "INSERT INTO webhook_requests (service_type, account, dedupe_key, state, reason, answer, verified_by, method, url, headers, received_at) \
         VALUES ('twilio', 'acme', {key}, '{state}', {reason}, 200, 'request/0', 'POST', '/webhooks/twilio/acme', '{{\"user-agent\":\"x\"}}', '{received_at}')"
    ));
}

crate::databases! {
    fn pagination_is_stable_under_inserts(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        // Many share one instant, in the formats of applications and of defaults.
        for place in 0..40 {
            let instant = ["15:30:00", "15:30:00.000", "15:30:00.123", "15:29:59.999999"][place % 4];
            message(database, &format!("SM{place}"), "twilio", "sent", &format!("2026-03-14 {instant}"));
        }
        let all = ids(&gateway.ops("/api/messages?limit=500"), "messages");
        assert_eq!(all.len(), 40);
        for (limit, filter) in [(1, "&account=default"), (3, "&status=sent"), (7, "&service_type=twilio"), (40, "&status=sent&service_type=twilio")] {
            let newer = |page| message(database, &format!("new-{limit}-{page}"), "vonage", "queued", "2026-03-14 15:30:01");
            assert_eq!(paged(&gateway, "messages", &format!("&until=2026-03-14T15:30:01Z{filter}"), limit, newer), all, "{limit} at a time");
        }
        let older = |page| message(database, &format!("old-{page}"), "vonage", "queued", "2026-03-14 15:00:00");
        let with_older = paged(&gateway, "messages", "&until=2026-03-14T15:30:01Z", 11, older);
        assert_eq!(with_older[..40], all, "older messages follow");
    }

    fn messages_are_found_by_each_filter(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        message(database, "A", "twilio", "delivered", "2026-03-14 10:00:00");
        message_to(database, "'Ann@example.com'", "B", "resend", "bounced", "2026-03-14 11:00:00");
        message_to(database, "'+447700900000'", "C", "vonage", "failed", "2026-03-14 12:00:00");
        database.execute("UPDATE message_external_ids SET failed_at = created_at WHERE status IN ('bounced', 'failed')");
        database.execute("UPDATE message_external_ids SET account = 'acme' WHERE external_id = 'C'");
        database.execute("INSERT INTO communication_metrics (reference) VALUES ('order 9')");
        database.execute("UPDATE message_external_ids SET message_id = 1 WHERE external_id = 'A'");
        for (filter, found) in [
            ("service_type=resend", "B"),
            ("account=acme", "C"),
            ("service_type=vonage&account=acme", "C"),
            ("service_type=vonage&account=default", ""),
            ("status=bounced", "B"),
            ("status=delivered&service_type=twilio", "A"),
            ("status=delivered&service_type=resend", ""),
            ("external_id=A", "A"),
            ("message_id=1", "A"),
            ("reference=order%209", "A"),
            ("reference=order%2010", ""),
            ("recipient=%2B447700900000", "C"),
            ("recipient=+44%207700%20900-000", "C"),
            ("recipient=447700900000", "C"),
            ("recipient=Ann@EXAMPLE.com", "B"),
            ("since=2026-03-14T11:00:00Z", "CB"),
            ("until=2026-03-14T11:00:00Z", "A"),
            ("since=2026-03-14T11:00:00Z&until=2026-03-14T12:00:00Z", "B"),
            ("status=failed&since=2026-03-14T12:00:01Z", ""),
        ] {
            let rows = rows(&gateway, "messages", &format!("&{filter}"), 500, |_| ());
            let names: String = rows.iter().filter_map(|row| row["external_id"].as_str()).collect();
            assert_eq!(names, found, "{filter}");
        }
    }

    fn message_includes_its_events(database) {
        let gateway = gateway(database);
        for status in ["queued", "sent", "delivered"] {
            assert_eq!(twilio::form(&gateway, &format!("MessageSid=SM1&MessageStatus={status}")).status, 200);
        }
        assert_eq!(twilio::form(&gateway, "MessageSid=SM2&MessageStatus=sent").status, 200);
        let id = gateway.ops("/api/messages?external_id=SM1")["messages"][0]["id"].clone();
        let one = gateway.ops(&format!("/api/messages/{id}"));
        assert_eq!((&one["message"]["external_id"], &one["message"]["status"]), (&json!("SM1"), &json!("delivered")));
        let types: Vec<&str> = one["events"].as_array().expect("events").iter().filter_map(|event| event["event_type"].as_str()).collect();
        assert_eq!(types, ["message.queued", "message.sent", "message.delivered"]);
        assert_eq!(one["events"][0]["detail"]["channel"], "sms", "details are JSON, not a string");
        for missing in ["999", "0", "-1", "x", "9999999999999999999", "%00", "1%20"] {
            let response = get(&gateway, &format!("/api/messages/{missing}"));
            assert_eq!((response.status, &response.json()["error"]), (404, &json!("not_found")), "{missing}");
        }
    }

    fn requests_are_filtered_by_state_and_include_their_bytes(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        request(database, 1, "processed", "NULL", "2026-03-14 10:00:00");
        request(database, 2, "quarantined", "'poison'", "2026-03-14 11:00:00");
        request(database, 3, "discarded", "'poison'", "2026-03-14 12:00:00");
        let bytes = |bytes: &[u8]| match database {
            Database::Sqlite { .. } => format!("X'{}'", hex::encode(bytes)),
            Database::Postgres { .. } => format!("'\\x{}'::bytea", hex::encode(bytes)),
        };
        let raw = bytes(&[0xff, 0]);
        database.execute(&format!("INSERT INTO webhook_bodies VALUES (1, {}, '2026-03-14 10:00:00')", bytes("a=1&b=ü".as_bytes())));
        database.execute(&format!("INSERT INTO webhook_bodies VALUES (2, {raw}, '2026-03-14 11:00:00')"));
        database.make_rejected();
        database.execute(&format!(
            "INSERT INTO rejected_requests (service_type, account, cause, finding, method, url, headers, body, received_at) \
             VALUES ('twilio', 'default', 'mismatch', 'another scheme', 'POST', '/webhooks/twilio', '{{}}', {raw}, '2026-03-14 13:00:00')"
        ));
        for (filter, found) in [
            ("", json!(["3", "2", "1"])),
            ("state=processed", json!(["1"])),
            ("state=quarantined", json!(["2"])),
            ("state=discarded", json!(["3"])),
            ("state=rejected", json!(["r1"])),
            ("state=rejected&account=acme", json!([])),
            ("service_type=twilio&account=acme&since=2026-03-14T11:00:00Z", json!(["3", "2"])),
            ("service_type=vonage", json!([])),
        ] {
            assert_eq!(json!(ids(&gateway.ops(&format!("/api/requests?{filter}")), "requests")), found, "{filter}");
        }
        assert_eq!(json!(paged(&gateway, "requests", "", 1, |_| ())), json!(["3", "2", "1"]));
        let first = gateway.ops("/api/requests/1");
        assert_eq!((&first["body"], &first["body_encoding"]), (&json!("a=1&b=ü"), &json!("text")));
        assert_eq!(first["request"]["headers"]["user-agent"], "x");
        let second = gateway.ops("/api/requests/2");
        assert_eq!((&second["body"], &second["body_encoding"], &second["request"]["reason"]), (&json!("/wA="), &json!("base64"), &json!("poison")));
        assert_eq!(gateway.ops("/api/requests/3")["body"], Value::Null, "expired");
        let rejected = gateway.ops("/api/requests/r1");
        assert_eq!((&rejected["request"]["state"], &rejected["request"]["reason"]), (&json!("rejected"), &json!("mismatch")));
        assert_eq!((&rejected["request"]["finding"], &rejected["body"]), (&json!("another scheme"), &json!("/wA=")));
        for missing in ["4", "r2", "r", "R1", "+1", "r-1", "1r", "%00"] {
            assert_eq!(get(&gateway, &format!("/api/requests/{missing}")).status, 404, "{missing}");
        }
    }

    fn inbound_messages_calls_and_rooms_are_listed(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        for (place, sender) in ["+15550000001", "+15550000002", "+15550000001"].into_iter().enumerate() {
            database.execute(&format!(
                "INSERT INTO inbound_messages (service_type, account, external_id, sender, recipient, text, received_at) \
                 VALUES ('twilio', 'default', 'in{place}', '{sender}', '+15559999999', 'hello', '2026-03-14 10:00:0{place}')"
            ));
            database.execute(&format!(
                "INSERT INTO message_addresses (address, owner, role, owner_id) VALUES \
                 ('{sender}', 'inbound', 'sender', {id}), ('+15559999999', 'inbound', 'recipient', {id})",
                id = place + 1
            ));
            database.execute(&format!(
                "INSERT INTO calls (service_type, account, external_id, status) VALUES ('signalwire', 'default', 'call{place}', '{}')",
                ["ringing", "ended", "ended"][place]
            ));
            database.execute(&format!(
                "INSERT INTO rooms (service_type, account, external_id, status, members) VALUES ('signalwire', 'acme', 'room{place}', 'started', '[{{\"id\":\"m\"}}]')"
            ));
        }
        for (target, list, count) in [
            ("inbound?sender=+15550000001", "inbound", 2),
            ("inbound?recipient=15559999999&until=2026-03-14T10:00:02Z", "inbound", 2),
            ("inbound?service_type=vonage", "inbound", 0),
            ("calls?status=ended", "calls", 2),
            ("calls?service_type=signalwire&account=default", "calls", 3),
            ("rooms?account=acme&status=started", "rooms", 3),
            ("rooms?account=default", "rooms", 0),
        ] {
            assert_eq!(ids(&gateway.ops(&format!("/api/{target}")), list).len(), count, "{target}");
        }
        for list in ["inbound", "calls", "rooms"] {
            let all = ids(&gateway.ops(&format!("/api/{list}")), list);
            assert_eq!(paged(&gateway, list, "", 2, |_| ()), all, "{list}");
        }
        assert_eq!(gateway.ops("/api/rooms")["rooms"][0]["members"][0]["id"], "m");
    }

    fn invalid_query_names_the_parameter(database) {
        let gateway = gateway(database);
        let long = "a".repeat(256);
        for list in ["messages", "requests", "inbound", "calls", "rooms", "suppressions"] {
            for (wrong, expected_detail) in [
                ("limit=0", "1 to 500"),
                ("limit=501", "1 to 500"),
                ("limit=x", "1 to 500"),
                ("limit=", "1 to 500"),
                ("cursor=", "next_cursor"),
                ("cursor=12", "next_cursor"),
                ("cursor=7012-345", "next_cursor"),
                ("since=yesterday", "time such as"),
                ("until=2026-13-01T00:00:00Z", "time such as"),
                ("service_type=unknown", "service_type"),
                ("service_type=Twilio", "service_type"),
                ("account=", "1 to 255"),
                ("account=%00", "NUL"),
                ("colour=red", "colour"),
                ("limit=1&limit=2", "duplicate"),
                (&format!("account={long}"), "1 to 255"),
            ] {
                let response = get(&gateway, &format!("/api/{list}?{wrong}"));
                let answer = response.json();
                assert_eq!((response.status, &answer["error"], &answer["success"]), (400, &json!("invalid_query"), &json!(false)), "{list} {wrong}");
                assert!(answer["detail"].as_str().expect("a sentence").contains(expected_detail), "{wrong}: {answer}");
            }
        }
        for wrong in [
            "messages?status=gone", "messages?message_id=x", "requests?state=lost", "events?after=x", "events?after=1-", "events?cursor=1-1",
            "suppressions?reason=none", "suppressions?channel=fax", "suppressions?state=x", "stats?bucket=year", "stats?since=2026-03-14T10:00:00Z&until=2026-03-14T10:00:00Z", "stats?since=1970-01-01T00:00:00Z",
            "events/stream?after=x", "events/stream?limit=1",
        ] {
            let response = get(&gateway, &format!("/api/{wrong}"));
            assert_eq!((response.status, &response.json()["error"]), (400, &json!("invalid_query")), "{wrong}");
        }
    }

    fn stats_are_grouped_by_provider_and_period(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        for (id, service, status, at) in [
            ("A", "resend", "delivered", "2026-03-14 10:00:00"),
            ("B", "resend", "delivered", "2026-03-14 10:59:59.999"),
            ("C", "resend", "bounced", "2026-03-14 11:00:00"),
            ("D", "twilio", "sent", "2026-03-14 11:30:00"),
            ("E", "twilio", "delivered", "2026-03-13 11:00:00"),
            ("F", "twilio", "delivered", "2026-03-14 11:40:00"),
        ] {
            message(database, id, service, status, at);
        }
        database.execute("UPDATE message_external_ids SET opened_at = created_at, open_count = 3 WHERE external_id = 'A'");
        database.execute("UPDATE message_external_ids SET direction = 'inbound' WHERE external_id = 'F'");
        let stats = gateway.ops("/api/stats?since=2026-03-14T10:30:00Z&until=2026-03-14T12:00:00Z");
        assert_eq!(stats["starts"], json!(["2026-03-14T10:00:00Z", "2026-03-14T11:00:00Z"]));
        let resend = &stats["totals"][0];
        assert_eq!((&resend["service_type"], &resend["messages"], &resend["delivered"], &resend["failed"]), (&json!("resend"), &json!(3), &json!(2), &json!(1)));
        assert_eq!((&resend["delivery_rate"], &resend["open_rate"], &resend["click_rate"]), (&json!(0.6666), &json!(0.5), &json!(0.0)));
        assert_eq!(stats["totals"][1]["by_status"], json!({ "sent": 1 }), "inbound messages are not counted");
        assert_eq!(stats["totals"][1]["delivery_rate"], Value::Null);
        let buckets: Vec<(&Value, &Value, &Value)> =
            stats["buckets"].as_array().expect("buckets").iter().map(|one| (&one["start"], &one["service_type"], &one["messages"])).collect();
        let (ten, eleven) = (json!("2026-03-14T10:00:00Z"), json!("2026-03-14T11:00:00Z"));
        assert_eq!(buckets, [(&ten, &json!("resend"), &json!(2)), (&eleven, &json!("resend"), &json!(1)), (&eleven, &json!("twilio"), &json!(1))]);
        let minutes = gateway.ops("/api/stats?bucket=minute&since=2026-03-14T10:59:00Z&until=2026-03-14T11:00:00Z");
        assert_eq!((&minutes["starts"], &minutes["buckets"][0]["messages"]), (&json!(["2026-03-14T10:59:00Z"]), &json!(1)));
        let days = gateway.ops("/api/stats?bucket=day&service_type=twilio");
        assert_eq!((days["starts"].as_array().expect("days").len(), &days["totals"][0]["messages"]), (31, &json!(2)));
    }
}
