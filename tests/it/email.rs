//! E-mail: the copies of an inbound one, the recipients of an outbound one, and its opens and clicks.

use serde_json::{Value, json};
use waybill::{
    signature::Outgoing,
    time::{Clock, Timestamp},
};

use crate::{
    shutdown::command,
    support::{database::Database, gateway::Gateway},
};

const SECRET: (&str, &str) = ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
const NOW: &str = "2026-03-14T18:00:00Z";

fn gateway(database: Database) -> Gateway {
    let variables = [(SECRET.0.to_owned(), SECRET.1.to_owned())];
    Gateway::start_on(database, Timestamp::parse(NOW).expect("a time"), &variables)
}

/// Sends an event of Resend.
fn send(gateway: &Gateway, kind: &str, at: &str, data: &Value) {
    send_at(gateway, kind, at, Timestamp::parse(NOW).expect("a time"), data);
}

/// Sends an event at that time.
fn send_at(gateway: &Gateway, kind: &str, at: &str, now: Timestamp, data: &Value) {
    let body = json!({ "type": kind, "created_at": at, "data": data }).to_string();
    let endpoint = gateway.endpoint("/webhooks/resend");
    // An id has no dot, which separates it from the timestamp in the signed content.
    let id = format!("msg_{kind}_{at}_{}", body.len()).replace(['.', ':'], "-");
    let mut outgoing =
        Outgoing { id, seconds: now.seconds(), ..endpoint.outgoing("POST", endpoint.path(), "application/json", body.as_str()) };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{kind}");
}

/// The answer for the only message.
fn message(gateway: &Gateway) -> Value {
    gateway.ops("/api/messages/1")
}

/// Each recipient as `address status reported_for category`.
fn recipients(message: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| ["address", "status", "reported_for", "error_category"].map(|name| text(&one[name])).join(" ");
    message["recipients"].as_array().expect("recipients").iter().map(line).collect()
}

fn bounced(to: &[&str], responses: &[&str]) -> Value {
    json!({ "email_id": "out-1", "to": to, "from": "hello@acme.example",
        "bounce": { "type": "Permanent", "subType": "General", "message": "refused", "diagnosticCode": responses } })
}

crate::databases! {
    fn inbound_email_is_found_by_every_address_that_it_names(database) {
        let gateway = gateway(database);
        send(&gateway, "email.received", "2026-03-14T17:00:00Z", &json!({
            "email_id": "in-1", "from": "Ada <ada@dest.example>", "to": ["support@acme.example"],
            "cc": ["Bob <Bob@Other.example>"], "bcc": ["archive@acme.example"], "received_for": ["box@acme.example"],
            "subject": "Re: Your order", "message_id": "<CAF1@mail.dest.example>",
        }));
        let copies: Vec<String> = (0..150).map(|one| format!("c{one}@other.example")).collect();
        send(&gateway, "email.received", "2026-03-14T17:00:01Z", &json!({
            "email_id": "in-2", "from": "eve@dest.example", "to": ["x@acme.example"], "cc": copies,
        }));
        for (filter, ids) in [
            ("recipient=support@acme.example", &["in-1"][..]),
            ("recipient=bob@other.example", &["in-1"]),
            ("recipient=archive@acme.example", &["in-1"]),
            ("recipient=box@acme.example", &["in-1"]),
            ("sender=ada@dest.example", &["in-1"]),
            ("sender=bob@other.example", &[]),
            ("recipient=c99@other.example", &["in-2"]),
            ("recipient=c100@other.example", &[]),
        ] {
            let page = gateway.ops(&format!("/api/inbound?{filter}"));
            let found: Vec<&Value> = page["inbound"].as_array().expect("rows").iter().map(|row| &row["external_id"]).collect();
            assert_eq!(found, ids, "{filter}");
        }
        let page = gateway.ops("/api/inbound?sender=ada@dest.example");
        let row = &page["inbound"][0];
        let fields = ["subject", "internet_message_id", "cc", "bcc", "received_for"].map(|name| row[name].as_str().unwrap_or_default());
        let expected = ["Re: Your order", "<CAF1@mail.dest.example>", "Bob@other.example", "archive@acme.example", "box@acme.example"];
        assert_eq!(fields, expected);
    }

    fn each_recipient_of_an_email_has_its_own_status(database) {
        let gateway = gateway(database);
        let all = ["Ada <Ada@dest.example>", "bob@other.example", "carol@dest.example"];
        let outbound = |to: &[&str]| json!({ "email_id": "out-1", "to": to, "from": "hello@acme.example" });
        let responses = ["550 5.1.1 <bob@other.example> unknown"];
        let events = [
            ("email.sent", outbound(&all)),
            ("email.bounced", bounced(&all, &responses)),
            ("email.delivered", outbound(&["ada@dest.example"])),
            ("email.complained", outbound(&["ada@dest.example"])),
        ];
        for (place, (kind, data)) in events.iter().enumerate() {
            send(&gateway, kind, &format!("2026-03-14T17:00:0{}Z", 9 - place), data);
        }
        let answer = message(&gateway);
        assert_eq!(recipients(&answer), [
            "ada@dest.example delivered recipient -",
            "bob@other.example bounced recipient invalid_recipient",
            "carol@dest.example sent message -",
        ]);
        assert_eq!(answer["message"]["status"], "bounced", "the row is that of the whole message");
        let [ada, bob] = [&answer["recipients"][0], &answer["recipients"][1]];
        assert_eq!((&ada["evidence"], &ada["complained_at"]), (&json!("mta"), &json!("2026-03-14T17:00:06Z")));
        assert_eq!((&bob["diagnostic"], &bob["evidence"]), (&json!(responses[0]), &Value::Null));
        assert_eq!(gateway.ops("/api/messages/1/explain")["recipients"], answer["recipients"]);
        let page = gateway.ops_page("/messages/1");
        assert!(page.contains("not reported per recipient") && page.contains("550 5.1.1 &#60;bob@other.example&#62; unknown"), "{page}");
    }

    fn recipient_that_no_event_singles_out_has_the_status_of_the_message(database) {
        let gateway = gateway(database);
        send(&gateway, "email.bounced", "2026-03-14T17:00:00Z", &bounced(&["ada@dest.example", "bob@other.example"], &["550 refused"]));
        let expected = ["ada@dest.example bounced message", "bob@other.example bounced message"];
        let found = recipients(&message(&gateway));
        assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:?}");
    }

    fn opens_and_clicks_by_machines_are_marked_and_counted(database) {
        const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36";
        let gateway = gateway(database);
        let engagement = |name: &str, at: &str, user_agent: &str| {
            json!({ "email_id": "out-1", "to": ["ada@dest.example"], "created_at": "2026-03-14T16:00:00Z",
                name: { "ipAddress": "198.51.100.7", "userAgent": user_agent, "timestamp": at, "link": "https://acme.example/o" } })
        };
        send(&gateway, "email.delivered", "2026-03-14T17:00:00Z", &json!({ "email_id": "out-1", "to": ["ada@dest.example"] }));
        for (kind, name, at, user_agent) in [
            ("email.opened", "open", "2026-03-14T17:00:10Z", "Mozilla/5.0"),
            ("email.opened", "open", "2026-03-14T17:00:20Z", "Firefox/11.0 (via ggpht.com GoogleImageProxy)"),
            ("email.opened", "open", "2026-03-14T17:00:30Z", BROWSER),
            ("email.clicked", "click", "2026-03-14T17:00:01Z", BROWSER),
            ("email.clicked", "click", "2026-03-14T17:00:40Z", "Barracuda Sentinel (EE)"),
            ("email.clicked", "click", "2026-03-14T17:00:50Z", BROWSER),
        ] {
            send(&gateway, kind, at, &engagement(name, at, user_agent));
        }
        let answer = message(&gateway);
        assert_eq!(answer["engagement"], json!({
            "human_opens": 1, "machine_opens": 2, "proxy_opens": 1, "human_clicks": 1, "machine_clicks": 2,
        }));
        assert_eq!((&answer["message"]["open_count"], &answer["message"]["click_count"]), (&json!(3), &json!(3)), "counts of events");
        let machines: Vec<&Value> =
            answer["events"].as_array().expect("events").iter().map(|event| &event["engagement"]["automation"]["by"]).collect();
        assert_eq!(json!(machines), json!([
            null, "apple_mail_privacy_protection", "gmail_image_proxy", null, "unidentified_scanner", "barracuda", null
        ]));
        let last = &answer["events"][6]["engagement"];
        assert_eq!(last, &json!({ "ip_address": "198.51.100.7", "link": "https://acme.example/o", "user_agent": BROWSER }));
        let explained = gateway.ops("/api/messages/1/explain");
        assert_eq!(explained["engagement"], answer["engagement"]);
        let sentence = explained["timeline"][4]["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("Not by a person: `unidentified_scanner`, a security scanner (recognized by its haste)."), "{sentence}");
        let page = gateway.ops_page("/messages/1");
        assert!(page.contains("3 (2 by machines)") && page.contains("Barracuda Sentinel (EE)"), "{page}");
    }

    fn clients_of_clicks_expire_with_the_raw_body(database) {
        let at = |days: i64| Timestamp::from_seconds(Clock::System.now().seconds() - days * 86_400).expect("a time");
        let variables = [(SECRET.0.to_owned(), SECRET.1.to_owned())];
        let mut database = database;
        for (id, days) in [("old", 31), ("new", 29)] {
            let gateway = Gateway::start_on(database, at(days), &variables);
            send_at(&gateway, "email.clicked", &at(days).to_string(), at(days), &json!({ "email_id": id, "to": ["ada@dest.example"],
                "click": { "ipAddress": "209.222.82.9", "userAgent": "a", "link": "https://acme.example/o" } }));
            database = gateway.stop();
        }
        let output = command().args(["prune"]).env("DATABASE_URL", database.url()).output().expect("the binary");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let details: Vec<Value> = database
            .query("SELECT detail AS row FROM webhook_events ORDER BY id")
            .iter()
            .map(|detail| serde_json::from_str::<Value>(detail).expect("JSON")["engagement"].clone())
            .collect();
        let automation = json!({ "by": "barracuda", "detected_by": "ip_address", "kind": "scanner" });
        assert_eq!(details, [
            json!({ "automation": automation }),
            json!({ "automation": automation, "ip_address": "209.222.82.9", "link": "https://acme.example/o", "user_agent": "a" }),
        ]);
    }

    fn rederive_adds_the_fields_to_email_from_before(database) {
        let gateway = gateway(database);
        send(&gateway, "email.received", "2026-03-14T17:00:00Z", &json!({
            "email_id": "in-1", "from": "ada@dest.example", "to": ["support@acme.example"], "cc": ["bob@other.example"], "subject": "Hi",
        }));
        send(&gateway, "email.bounced", "2026-03-14T17:00:00Z", &bounced(&["ada@dest.example", "bob@other.example"], &["550 a", "550 b"]));
        let database = gateway.stop();
        let events = |database: &Database| database.query("SELECT detail AS row FROM webhook_events ORDER BY id");
        let (rows, details) = (database.rows("inbound_messages"), events(&database));
        // As an earlier version stored them.
        database.execute("UPDATE inbound_messages SET subject = NULL, cc = NULL");
        for (id, detail) in details.iter().enumerate() {
            let mut detail: Value = serde_json::from_str(detail).expect("JSON");
            for name in ["email", "recipients"] {
                detail.as_object_mut().expect("an object").remove(name);
            }
            database.execute(&format!("UPDATE webhook_events SET detail = '{detail}' WHERE id = {}", id + 1));
        }
        let output = command()
            .args(["rederive", "--since", "2020-01-01T00:00:00Z", "--yes"])
            .env("DATABASE_URL", database.url())
            .env(SECRET.0, SECRET.1)
            .output()
            .expect("the binary");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((database.rows("inbound_messages"), events(&database)), (rows, details));
    }
}
