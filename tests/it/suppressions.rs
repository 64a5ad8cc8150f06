//! Suppressions: who must not be written to, per channel, since when and why, from events and inbound messages in any order.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use waybill::{
    signature::Outgoing,
    store::{Options, Store},
    time::{Clock, ManualClock, Timestamp},
};

use crate::{
    shutdown::command,
    store::run,
    support::{
        client,
        database::Database,
        gateway::{self, Gateway, OPS_TOKEN},
        twilio,
    },
};

/// 2026-03-14T15:30:00Z
const NOW: i64 = 1_773_502_200;

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

pub(crate) const ADA: &str = "+15558675310";
pub(crate) const OURS: &str = "+15017122661";

pub(crate) fn gateway(database: Database) -> Gateway {
    twilio::gateway(database, NOW, &[("RESEND_WEBHOOK_SECRET", SECRET)])
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(NOW + second).expect("an instant")
}

/// An inbound text message that arrives at that second.
pub(crate) fn text(gateway: &Gateway, second: i64, from: &str, to: &str, body: &str) {
    gateway.set_clock(at(second));
    let [from, to, body] = [from, to, body].map(|text| text.replace('+', "%2B").replace(' ', "%20"));
    let form = format!("MessageSid=SM{second:032}&From={from}&To={to}&Body={body}&NumMedia=0");
    assert_eq!(twilio::form(gateway, &form).status, 200);
}

/// A failed message that is reported at that second.
fn failure(gateway: &Gateway, second: i64, to: &str, code: &str) {
    gateway.set_clock(at(second));
    let to = to.replace('+', "%2B");
    let form = format!("MessageSid=SM9{second:031}&MessageStatus=undelivered&ErrorCode={code}&To={to}&From=%2B15017122661");
    assert_eq!(twilio::form(gateway, &form).status, 200);
}

/// An event of Resend that happened at that second.
fn resend(gateway: &Gateway, second: i64, kind: &str, data: &Value) {
    gateway.set_clock(at(second));
    let endpoint = gateway.endpoint("/webhooks/resend");
    let document = json!({ "type": kind, "created_at": at(second).to_string(), "data": data }).to_string();
    let outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", document);
    let mut outgoing = Outgoing { id: format!("msg_{second}"), seconds: NOW + second, ..outgoing };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{kind}");
}

fn email(id: i64, to: &[&str]) -> Value {
    json!({ "email_id": format!("e1f5b1c5-5b1a-4df0-9f43-{id:012}"), "from": "hello@acme.example", "to": to })
}

/// The rows of a list that covers all events. On Postgres the feed ends before the oldest running transaction of the cluster, which may
/// belong to another test.
fn listed(gateway: &Gateway, query: &str) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let page = gateway.ops(&format!("/api/suppressions?{query}"));
        if page["unindexed"] == 0 {
            return page["suppressions"].as_array().unwrap_or_else(|| panic!("{page}")).clone();
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{page}");
        thread::yield_now();
    }
}

/// Each suppression in a few words: address, reason, sender, and the seconds since when it is active.
fn summary(rows: &[Value]) -> BTreeSet<String> {
    let seconds = |value: &Value| value.as_str().and_then(Timestamp::parse).map(|at| at.seconds() - NOW);
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let summary = |row: &Value| {
        let since = seconds(&row["active_since"]).map_or("lifted".to_owned(), |seconds| seconds.to_string());
        format!("{} {} {} {} {since}", word(&row["address"]), word(&row["channel"]), word(&row["reason"]), word(&row["sender"]))
    };
    rows.iter().map(summary).collect()
}

pub(crate) fn all(gateway: &Gateway) -> BTreeSet<String> {
    summary(&listed(gateway, "state=all"))
}

pub(crate) fn set<const N: usize>(rows: [&str; N]) -> BTreeSet<String> {
    rows.map(str::to_owned).into()
}

/// Everything that suppresses or lifts, each as a step of its own.
const STEPS: [fn(&Gateway); 14] = [
    |gateway| text(gateway, 1, ADA, OURS, "STOP"),
    |gateway| text(gateway, 2, ADA, OURS, "Start"),
    |gateway| text(gateway, 3, ADA, OURS, "stop"),
    |gateway| text(gateway, 4, ADA, "+15017122662", "Hello"),
    |gateway| text(gateway, 5, "+15558675311", OURS, "STOP"),
    |gateway| text(gateway, 6, "+15558675311", OURS, "UNSTOP"),
    |gateway| text(gateway, 7, "+15558675312", OURS, "START"),
    |gateway| failure(gateway, 8, "+15558675313", "21610"),
    |gateway| failure(gateway, 9, "+15558675314", "30005"),
    |gateway| failure(gateway, 10, "+15558675315", "30003"),
    |gateway| resend(gateway, 11, "email.complained", &email(1, &["Ada <Ada@Dest.example>"])),
    |gateway| resend(gateway, 12, "suppression.added", &json!({ "id": "s1", "email": "gone@dest.example", "origin": "bounce" })),
    |gateway| {
        resend(gateway, 13, "suppression.removed", &json!({ "id": "s1", "email": "gone@dest.example", "origin": "bounce" }));
    },
    |gateway| resend(gateway, 14, "contact.updated", &json!({ "id": "c1", "email": "bob@dest.example", "unsubscribed": true })),
];

fn send_all(gateway: &Gateway) {
    for step in STEPS {
        step(gateway);
    }
}

fn expected() -> BTreeSet<String> {
    set([
        "+15558675310 sms opt_out +15017122661 3",
        "+15558675311 sms opt_out +15017122661 lifted",
        "+15558675313 sms opt_out +15017122661 8",
        "+15558675314 sms hard_bounce - 9",
        "ada@dest.example email complaint - 11",
        "gone@dest.example email suppressed - lifted",
        "bob@dest.example email unsubscribed - 14",
    ])
}

/// The rows without what depends on the order of arrival: ids, and when a row was written.
fn rows(database: &Database) -> BTreeSet<String> {
    let without_ids = |mut row: Value| {
        let mut evidence: Value = serde_json::from_str(row["evidence"].as_str().expect("JSON")).expect("JSON");
        for list in ["reports", "lifts"] {
            for report in evidence[list].as_array_mut().expect("a list") {
                for id in ["event", "message", "request", "inbound"] {
                    report.as_object_mut().expect("a report").remove(id);
                }
            }
        }
        row["evidence"] = evidence;
        for column in ["id", "created_at", "updated_at"] {
            row.as_object_mut().expect("a row").remove(column);
        }
        row.to_string()
    };
    database.rows("suppressions").into_iter().map(without_ids).collect()
}

fn open(database: &Database) -> Store {
    Store::open(&database.url().parse().expect("a URL"), Options::default()).expect("a store")
}

/// Derives everything, as the background does.
fn derive(store: &Store) {
    let started = Instant::now();
    while run(store.derive()).expect("derived") != 0 {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

crate::databases! {
    fn suppressions_follow_from_events_and_inbound_messages_in_any_order(database) {
        let forward = gateway(database);
        send_all(&forward);
        assert_eq!(all(&forward), expected());
        let rows_forward = rows(&forward.database);
        // In reverse, with copies, and listed after each step.
        let backend = match &forward.database {
            Database::Sqlite { .. } => crate::support::database::Backend::Sqlite,
            Database::Postgres { .. } => crate::support::database::Backend::Postgres,
        };
        let backward = gateway(Database::new(backend));
        for step in STEPS.iter().rev() {
            step(&backward);
            listed(&backward, "");
            step(&backward);
        }
        assert_eq!(all(&backward), expected());
        assert_eq!(rows(&backward.database), rows_forward);
        // The tables of an older version have no derived rows: they are made from the events and messages that exist.
        backward.database.execute("DELETE FROM suppressions; DELETE FROM positions WHERE name LIKE 'suppressions%'");
        let database = backward.stop();
        let store = open(&database);
        derive(&store);
        store.close();
        assert_eq!(rows(&database), rows_forward);
    }

    fn two_gateways_write_one_row(database) {
        let database = &gateway(database).stop();
        let variables = [("TWILIO_AUTH_TOKEN".to_owned(), twilio::TOKEN.to_owned()), ("RESEND_WEBHOOK_SECRET".to_owned(), SECRET.to_owned())];
        let clock = ManualClock::new(at(0));
        let running = [(); 2].map(|()| gateway::start(&database.url(), Clock::Manual(clock.clone()), &variables));
        let send = |place: usize, second: i64, body: &str| {
            clock.set(at(second));
            let endpoint = running[place].gateway.endpoint(twilio::PATH).expect("an endpoint");
            let form = format!("MessageSid=SM{second:032}&From=%2B15558675310&To=%2B15017122661&Body={body}&NumMedia=0");
            let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/x-www-form-urlencoded", form);
            endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
            let sent = client::send(running[place].public, &outgoing.method, &outgoing.target, &outgoing.headers, &outgoing.body);
            assert_eq!(sent.status, 200);
            // Both derive at once.
            for one in &running {
                client::get(one.ops, "/api/suppressions", &[("Authorization", &format!("Bearer {OPS_TOKEN}"))]);
            }
        };
        for second in 1..=30 {
            send(usize::try_from(second % 2).expect("a place"), second, if second % 3 == 0 { "START" } else { "STOP" });
        }
        running.into_iter().for_each(gateway::stop);
        let store = open(database);
        derive(&store);
        store.close();
        let rows = database.rows("suppressions");
        assert_eq!(rows.len(), 1, "{rows:?}");
        let evidence: Value = serde_json::from_str(rows[0]["evidence"].as_str().expect("JSON")).expect("JSON");
        assert_eq!((evidence["reports"].as_array().map(Vec::len), evidence["lifts"].as_array().map(Vec::len)), (Some(20), Some(10)));
        assert_eq!(rows[0]["is_active"], false, "the last one was START");
    }

    fn report_about_one_of_several_recipients_suppresses_none(database) {
        let gateway = gateway(database);
        let both = email(1, &["ada@dest.example", "bob@dest.example"]);
        resend(&gateway, 1, "email.complained", &both);
        let mut bounced = both.clone();
        bounced["bounce"] = json!({ "type": "Permanent", "subType": "NoEmail", "message": "No such address" });
        resend(&gateway, 2, "email.bounced", &bounced);
        assert_eq!(all(&gateway), set([]));
        let mut named = both.clone();
        named["bounce"] = json!({ "type": "Permanent", "diagnosticCode": ["550 5.1.1 <ada@dest.example>: user unknown"] });
        resend(&gateway, 10, "email.bounced", &named);
        let rows = listed(&gateway, "");
        assert_eq!(summary(&rows), set(["ada@dest.example email hard_bounce - 10"]));
        assert!(rows[0]["reports"][0]["words"].as_str().is_some_and(|words| words.contains("user unknown")), "{rows:?}");
        bounced["to"] = json!(["bob@dest.example"]);
        resend(&gateway, 3, "email.bounced", &bounced);
        let rows = listed(&gateway, "address=bob@dest.example");
        assert_eq!(summary(&rows), set(["bob@dest.example email hard_bounce - 3"]));
        let report = &rows[0]["reports"][0];
        assert_eq!((&report["provider_type"], &report["code"], &report["words"]), (&json!("email.bounced"), &json!("NoEmail"), &json!("No such address")));
        assert_eq!(report["message"], gateway.ops("/api/messages")["messages"][0]["id"], "one e-mail");
    }

    fn later_delivery_does_not_lift_a_hard_bounce_and_temporary_failures_are_none(database) {
        let gateway = gateway(database);
        failure(&gateway, 1, ADA, "30005");
        assert_eq!(twilio::form(&gateway, "MessageSid=SM1&MessageStatus=delivered&To=%2B15558675310&From=%2B15017122661").status, 200);
        let mut bounced = email(1, &["ada@dest.example"]);
        bounced["bounce"] = json!({ "type": "Transient", "subType": "MailboxFull", "message": "Full" });
        resend(&gateway, 2, "email.bounced", &bounced);
        let mut suppressed = email(2, &["eve@dest.example"]);
        suppressed["suppressed"] = json!({ "type": "OnAccountSuppressionList", "message": "On the list." });
        resend(&gateway, 3, "email.suppressed", &suppressed);
        assert_eq!(all(&gateway), set(["+15558675310 sms hard_bounce - 1", "eve@dest.example email suppressed - 3"]));
        // The provider's removal lifts it, until it is suppressed again.
        resend(&gateway, 4, "suppression.removed", &json!({ "email": "EVE@Dest.example" }));
        assert_eq!(summary(&listed(&gateway, "reason=suppressed")), set([]));
        resend(&gateway, 5, "suppression.added", &json!({ "email": "eve@dest.example", "origin": "manual" }));
        let rows = listed(&gateway, "reason=suppressed");
        assert_eq!(summary(&rows), set(["eve@dest.example email suppressed - 5"]));
        assert_eq!((rows[0]["first_at"].as_str(), rows[0]["reports"][1]["code"].as_str()), (Some("2026-03-14T15:30:03Z"), Some("manual")));
    }

    fn start_lifts_what_the_provider_reports_of_the_same_pair(database) {
        let gateway = gateway(database);
        failure(&gateway, 1, ADA, "21610");
        text(&gateway, 2, ADA, "+15017122669", "START");
        assert_eq!(all(&gateway), set(["+15558675310 sms opt_out +15017122661 1"]), "another sender");
        text(&gateway, 3, ADA, OURS, "START");
        assert_eq!(all(&gateway), set(["+15558675310 sms opt_out +15017122661 lifted"]));
        // The provider's own meaning of a text in another language.
        gateway.set_clock(at(4));
        let form = "MessageSid=SM4&From=%2B15558675310&To=%2B15017122661&Body=ARRET&NumMedia=0&OptOutType=STOP";
        assert_eq!(twilio::form(&gateway, form).status, 200);
        assert_eq!(all(&gateway), set(["+15558675310 sms opt_out +15017122661 4"]));
    }

    fn suppressions_are_found_by_each_filter(database) {
        let gateway = gateway(database);
        send_all(&gateway);
        for (query, count) in [
            ("", 5),
            ("state=lifted", 2),
            ("state=all", 7),
            ("address=%2B15558675310", 1),
            ("address=+1%20(555)%20867-5310", 1),
            ("address=15558675310", 1),
            ("address=ADA@DEST.EXAMPLE", 1),
            ("address=Ada%20%3Cada@dest.example%3E", 1),
            ("address=nobody@dest.example", 0),
            ("channel=sms", 3),
            ("channel=mms", 3),
            ("channel=email", 2),
            ("channel=whatsapp", 0),
            ("reason=opt_out", 2),
            ("reason=complaint&service_type=resend", 1),
            ("reason=complaint&service_type=twilio", 0),
            ("account=acme", 0),
            ("since=2026-03-14T15:30:09Z", 3),
            ("until=2026-03-14T15:30:09Z", 2),
            ("since=2026-03-14T15:30:08Z&until=2026-03-14T15:30:11Z&state=all", 2),
        ] {
            assert_eq!(listed(&gateway, query).len(), count, "{query}");
        }
        let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
        let whole = ids(&listed(&gateway, "state=all"));
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = gateway.ops(&format!("/api/suppressions?state=all&limit=2{cursor}"));
            paged.extend(ids(page["suppressions"].as_array().expect("a list")));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, whole);
    }

    fn suppressions_outlive_their_events_and_not_the_person(database) {
        let gateway = gateway(database);
        send_all(&gateway);
        // Not derived yet.
        gateway.database.execute("DELETE FROM suppressions; DELETE FROM positions WHERE name LIKE 'suppressions%'");
        let database = gateway.stop();
        let waybill = |arguments: &[&str]| {
            let output = command().args(arguments).env("DATABASE_URL", database.url()).env("EVENT_RETENTION_DAYS", "7").output().expect("the binary");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("UTF-8")
        };
        let list = |arguments: &[&str]| -> Value {
            serde_json::from_str(&waybill(&[&["suppressions", "--json"], arguments].concat())).expect("JSON")
        };
        waybill(&["prune"]);
        let addresses = |page: &Value| summary(page["suppressions"].as_array().expect("a list"));
        let started = Instant::now();
        while addresses(&list(&["--state", "all"])) != expected() {
            assert!(started.elapsed() < Duration::from_secs(30), "{:?}", list(&["--state", "all"]));
        }
        assert!(waybill(&["suppressions", "--address", "15558675310"]).contains("+15558675310"));
        assert_eq!(addresses(&list(&["--since", "1h"])), set([]), "a relative time");
        let store = open(&database);
        derive(&store);
        store.close();
        for person in ["Ada@dest.example", ADA] {
            waybill(&["erase", "--recipient", person]);
        }
        let left = list(&["--state", "all"]);
        assert_eq!(left["suppressions"].as_array().map(Vec::len), Some(5));
        assert!(!left.to_string().contains("ada@dest") && !left.to_string().contains(ADA), "{left}");
        // Erasing a number of ours leaves the opt-outs of others.
        waybill(&["erase", "--recipient", OURS]);
        let left = list(&["--state", "all"]);
        assert_eq!(left["suppressions"].as_array().map(Vec::len), Some(5));
        assert!(!left.to_string().contains(OURS), "{left}");
        let store = open(&database);
        derive(&store);
        store.close();
        assert_eq!(list(&["--state", "all"]), left, "nothing restores it");
    }

    fn rederivation_replaces_what_events_reported(database) {
        let gateway = gateway(database);
        failure(&gateway, 1, ADA, "30005");
        resend(&gateway, 2, "suppression.added", &json!({ "email": "gone@dest.example", "origin": "bounce" }));
        listed(&gateway, "");
        // As an older version would have parsed them.
        for sql in [
            "UPDATE webhook_events SET detail = '{}' WHERE event_type = 'suppression.added'",
            "UPDATE webhook_events SET detail = replace(detail, '+15558675310', '+15558675319') WHERE event_type <> 'suppression.added'",
            "DELETE FROM suppressions; DELETE FROM positions WHERE name LIKE 'suppressions%'",
        ] {
            gateway.database.execute(sql);
        }
        assert_eq!(all(&gateway), set(["+15558675319 sms hard_bounce - 1"]));
        let database = gateway.stop();
        let output = command()
            .args(["rederive", "--since", "2020-01-01T00:00:00Z", "--yes"])
            .env("DATABASE_URL", database.url())
            .envs([("TWILIO_AUTH_TOKEN", twilio::TOKEN), ("RESEND_WEBHOOK_SECRET", SECRET)])
            .output()
            .expect("the binary");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let gateway = self::gateway(database);
        assert_eq!(all(&gateway), set(["+15558675310 sms hard_bounce - 1", "gone@dest.example email suppressed - 2"]));
    }
}
