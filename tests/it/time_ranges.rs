//! `since` and `until` of every list: half-open ranges, beside other filters and cursors.

use serde_json::Value;

use crate::{
    lists::{gateway, get, ids, message_to, paged},
    support::{database::Database, gateway::Gateway, poll::wait_until},
};

/// Rows of every list, of which some arrived late: their times are earlier than those of the rows before.
fn insert_in_disorder(database: &Database) {
    let series =
        |first: i64, last: i64| format!("WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last})");
    let at = "1773400000 + n - (CASE WHEN n % 50 = 0 THEN 2500 ELSE 0 END)";
    let (at, key, number) = match database {
        Database::Sqlite { .. } => {
            (format!("strftime('%Y-%m-%d %H:%M:%S', {at}, 'unixepoch')"), "CAST(printf('%016d', n) AS BLOB)", "CAST(n AS TEXT)")
        }
        Database::Postgres { .. } => {
            (format!("to_timestamp({at}) AT TIME ZONE 'utc'"), "convert_to(lpad(n::text, 16, '0'), 'UTF8')", "n::text")
        }
    };
    for step in 0..9 {
        let series = series(step * 1_000 + 1, (step + 1) * 1_000);
        let service = "CASE WHEN n % 3 = 0 THEN 'twilio' ELSE 'vonage' END";
        for sql in [
            format!(
                "INSERT INTO message_external_ids (external_id, service_type, status, created_at) {series} SELECT {number}, {service}, 'sent', {at} FROM s"
            ),
            format!(
                "INSERT INTO webhook_events (service_type, account, external_id, event_type, state_key, received_at) \
                 {series} SELECT {service}, 'default', {number}, 'message.sent', {key}, {at} FROM s"
            ),
            format!(
                "INSERT INTO webhook_requests (service_type, account, dedupe_key, state, answer, verified_by, method, url, headers, received_at) \
                 {series} SELECT {service}, 'default', {key}, 'processed', 200, 'request/0', 'POST', '/webhooks/twilio', '{{}}', {at} FROM s"
            ),
            format!(
                "INSERT INTO inbound_messages (service_type, account, external_id, received_at) {series} SELECT {service}, 'default', {number}, {at} FROM s"
            ),
        ] {
            database.execute(&sql);
        }
    }
    let few = series(1, 30);
    for sql in [
        format!(
            "INSERT INTO calls (service_type, account, external_id, status, created_at) {few} SELECT 'twilio', 'default', {number}, 'ended', {at} FROM s"
        ),
        format!(
            "INSERT INTO rooms (service_type, account, external_id, status, created_at) {few} SELECT 'signalwire', 'default', {number}, 'ended', {at} FROM s"
        ),
        format!(
            "INSERT INTO suppressions (service_type, account, channel, address, reason, is_active, first_at, created_at) \
             {few} SELECT 'twilio', 'default', 'sms', {number}, 'opt_out', n > 0, {at}, {at} FROM s"
        ),
        format!("INSERT INTO audit_log (recorded_at, actor, action, items) {few} SELECT {at}, 'ops', 'replay', 1 FROM s"),
    ] {
        database.execute(&sql);
    }
}

/// The ids of the feed's events that match.
fn fed(gateway: &Gateway, filter: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = gateway.ops(&format!("/api/events?limit=500&after={after}{filter}"));
        all.extend(ids(&page, "events"));
        page["next"].as_str().unwrap_or_else(|| panic!("{page}")).clone_into(&mut after);
        if page["has_more"] == false {
            return all;
        }
    }
}

/// Every list in consecutive ranges of time, which together have every row once.
fn all_ranges(gateway: &Gateway) -> Vec<(&'static str, Vec<Value>)> {
    // On Postgres the feed waits for other transactions of the cluster.
    wait_until("every event in the feed", || fed(gateway, "").len() == 9_000);
    let instant = |second: i64| waybill::time::Timestamp::from_seconds(1_773_400_000 + second).expect("an instant");
    let bounds = [-10_000, 1, 2_000, 2_001, 4_500, 4_500, 7_000, 8_999, 9_500].map(instant);
    let ranges: Vec<String> = std::iter::once(format!("&until={}", bounds[0]))
        .chain(bounds.windows(2).map(|pair| format!("&since={}&until={}", pair[0], pair[1])))
        .chain([format!("&since={}", bounds[bounds.len() - 1])])
        .collect();
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(|id| id.to_string().trim_matches('"').parse::<i64>().expect("a number"));
        ids
    };
    let mut all = Vec::new();
    for (list, name) in [
        ("messages", "messages"),
        ("requests", "requests"),
        ("inbound", "inbound"),
        ("calls", "calls"),
        ("rooms", "rooms"),
        ("suppressions", "suppressions"),
        ("audit", "entries"),
        ("events", "events"),
    ] {
        for filter in ["", "&service_type=twilio"] {
            if list == "audit" && !filter.is_empty() {
                continue;
            }
            let read = |range: &str| match list {
                "events" => fed(gateway, &format!("{range}{filter}")),
                "audit" => ids(&gateway.ops(&format!("/api/audit?limit=500{range}")), name),
                _ => paged(gateway, list, &format!("{range}{filter}"), 500, |_| ()),
            };
            let whole = sorted(read(""));
            assert!(!whole.is_empty() || list == "rooms", "{list}");
            assert_eq!(sorted(ranges.iter().flat_map(|range| read(range)).collect()), whole, "{list}{filter}");
            all.push((list, whole));
        }
    }
    all
}

crate::databases! {
    fn consecutive_ranges_of_time_have_every_row_once(database) {
        let gateway = gateway(database);
        insert_in_disorder(&gateway.database);
        let store = &gateway.running().gateway.store;
        let (before, ranges) = (all_ranges(&gateway), || gateway.database.rows("id_ranges").len());
        // Ranges of ids are known for the tables with more than 4,096 rows. On Postgres they wait for other transactions of the cluster.
        wait_until("two ranges of each table", || {
            crate::store::run(store.derive()).expect("derived");
            ranges() == 8
        });
        let after = all_ranges(&gateway);
        for ((list, all), (_, again)) in before.into_iter().zip(after) {
            assert_eq!(all, again, "{list}");
        }
    }

    fn ranges_combine_with_filters_and_cursors(database) {
        let gateway = gateway(database);
        let database = &gateway.database;
        for place in 0..12 {
            message_to(database, "'+447700900000'", &format!("M{place}"), "vonage", "failed", &format!("2026-03-14 10:00:{place:02}"));
        }
        database.execute("UPDATE message_external_ids SET failed_at = created_at");
        database.execute("INSERT INTO audit_log (recorded_at, actor, action, items) SELECT created_at, 'ops', 'replay', 1 FROM message_external_ids ORDER BY id");
        let range = "&since=2026-03-14T10:00:02Z&until=2026-03-14T10:00:09Z";
        for filter in ["", "&status=failed", "&recipient=%2B447700900000", "&external_id=M5", "&service_type=vonage&status=failed"] {
            let expected = if filter.contains("M5") { 1 } else { 7 };
            for limit in [1, 3, 7, 100] {
                assert_eq!(paged(&gateway, "messages", &format!("{range}{filter}"), limit, |_| ()).len(), expected, "{filter} {limit}");
            }
        }
        let entries = |query: &str| ids(&gateway.ops(&format!("/api/audit?{query}")), "entries");
        assert_eq!(entries("").len(), 12);
        let first = gateway.ops(&format!("/api/audit?limit=3{range}"));
        let rest = entries(&format!("limit=5{range}&cursor={}", first["next_cursor"].as_str().expect("a cursor")));
        assert_eq!((ids(&first, "entries").len(), rest.len()), (3, 4));
        for wrong in ["since=24h", "until=2026-03-14", "since=", "account=x"] {
            assert_eq!(get(&gateway, &format!("/api/audit?{wrong}")).status, 400, "{wrong}");
        }
        for wrong in ["since=24h", "service_type=unknown", "account="] {
            assert_eq!(get(&gateway, &format!("/api/events?{wrong}")).status, 400, "{wrong}");
        }
    }
}
