//! The pages in Chromium. Screenshots are stored in `target/tmp/screenshots`.

use waybill::{fixture::Fixture, providers, time::Clock};

use crate::support::{
    chromium::Browser,
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
};

/// Messages of the last day and month, distributed like real traffic, in addition to those of the fixtures.
const TRAFFIC: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000),
    m AS (SELECT i, (i * 7919) % 1000 AS dice, (i * 104729) % 1000 AS other FROM n)
    INSERT INTO message_external_ids (service_type, external_id, status, channel, recipient, created_at, status_at, opened_at)
    SELECT CASE WHEN dice < 520 THEN 'twilio' WHEN dice < 800 THEN 'resend' WHEN dice < 950 THEN 'vonage' ELSE 'mifumo' END,
        printf('TR%08x', i * 2654435761 % 4294967296),
        CASE WHEN other < 900 THEN 'delivered' WHEN other < 940 THEN 'sent' WHEN other < 955 THEN 'deferred'
            WHEN other < 985 THEN 'undelivered' ELSE 'failed' END,
        'sms', printf('+1555%07d', i * 7907 % 10000000),
        strftime('%Y-%m-%d %H:%M:%f', 'now', printf('-%d minutes', i * i % (CASE WHEN i % 3 = 0 THEN 43000 ELSE 1430 END))),
        strftime('%Y-%m-%d %H:%M:%f', 'now', printf('-%d minutes', i * i % (CASE WHEN i % 3 = 0 THEN 43000 ELSE 1430 END))),
        CASE WHEN other < 400 AND dice BETWEEN 520 AND 799 THEN '2026-01-01 00:00:00.000' END
    FROM m";

fn gateway() -> Gateway {
    let proofs = providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &crate::support::random(1)));
    // The wall clock: the newest rows are from now.
    let gateway = Gateway::start_on(Database::new(Backend::Sqlite), Clock::System.now(), &proofs.collect::<Vec<_>>());
    for fixture in Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_sendable) {
        let endpoint = gateway.endpoint(&fixture.spec.default_path());
        let answer = gateway.send(&fixture.outgoing(endpoint, Clock::System.now()));
        assert_eq!(answer.status, 200, "{}/{}", fixture.spec.name, fixture.name);
    }
    gateway
}

/// Moves a processed request back into quarantine; returns its id and the external id of its message.
fn quarantine(gateway: &Gateway) -> (String, String) {
    let from_request = "FROM webhook_events e JOIN message_external_ids m USING (service_type, account, external_id) \
        WHERE e.status = 'delivered' AND m.revision = 1 AND e.service_type = 'twilio' ORDER BY e.id LIMIT 1";
    let [request, external_id] = ["request_id", "external_id"].map(|column| {
        gateway.database.query(&format!("SELECT CAST(e.{column} AS TEXT) AS row {from_request}")).pop().expect("a request")
    });
    gateway.database.execute(&format!(
        "DELETE FROM webhook_events WHERE request_id = {request}; \
         DELETE FROM message_external_ids WHERE external_id = '{external_id}'; \
         UPDATE webhook_requests SET state = 'quarantined', reason = 'poison' WHERE id = {request}"
    ));
    (request, external_id)
}

#[test]
fn pages_work_in_chromium() {
    let gateway = gateway();
    gateway.database.execute(TRAFFIC);
    let (request, external_id) = quarantine(&gateway);
    let mut browser = Browser::start();
    let ops = gateway.running().ops;
    let at = |path: &str| format!("http://{ops}{path}");

    // The password is in the first URL only; the browser sends it with the following requests.
    browser.set_viewport(1280, false);
    browser.open(&format!("http://any-user:{OPS_TOKEN}@{ops}/"));
    assert!(browser.markup(".tiles").contains("Delivered"));
    assert!(browser.markup(".plot title").contains("delivered"));

    // The search field.
    for (query, criterion) in
        [(external_id_with_status(&gateway, "delivered"), "external ID"), (newest_phone_recipient(&gateway), "recipient")]
    {
        browser.open(&at("/"));
        browser.search("#search", &query);
        assert!(browser.markup(".description").contains(criterion), "{query}");
        assert!(browser.has("table .id"), "{query}");
    }
    browser.load(|browser| browser.click("table a.id"));
    assert!(browser.markup("h1").contains("badge"));

    // Replay of a quarantined request.
    browser.open(&at("/requests"));
    browser.load(|browser| browser.click(&format!("a[href='/requests/{request}']")));
    browser.load(|browser| browser.click("button[formaction$='preview']"));
    assert!(browser.markup("main").contains("Nothing changed yet"));
    browser.load(|browser| browser.click("button.primary"));
    assert!(browser.markup("[role=status]").contains("applied"));
    browser.open(&at(&format!("/messages?q={external_id}")));
    browser.load(|browser| browser.click("table a.id"));
    assert!(browser.has(".timeline .event.success"));

    screenshot_pages(&mut browser, &gateway, &request);
    assert!(browser.console_errors.is_empty(), "{:#?}", browser.console_errors);
}

/// Takes screenshots of every page: light, dark, and as narrow as a phone. No page may be wider than its window.
fn screenshot_pages(browser: &mut Browser, gateway: &Gateway, request: &str) {
    let ops = gateway.running().ops;
    let longest =
        "SELECT CAST(m.id AS TEXT) AS row FROM message_external_ids m ORDER BY revision DESC, error_code IS NULL, id LIMIT 1";
    let message = gateway.database.query(longest).concat();
    let pages = [
        ("overview", "/".to_owned()),
        ("messages", "/messages".to_owned()),
        ("message", format!("/messages/{message}")),
        ("requests", "/requests".to_owned()),
        ("request", format!("/requests/{request}")),
        ("inbound", "/inbound".to_owned()),
        ("endpoints", "/endpoints".to_owned()),
        ("reference", "/docs/".to_owned()),
        ("overview-30d", "/?period=30d".to_owned()),
        ("overview-1h", "/?period=1h".to_owned()),
        ("overview-range", "/?since=2026-03-01&until=2026-03-20".to_owned()),
        ("suppressions", "/suppressions?state=all".to_owned()),
        ("calls", "/calls".to_owned()),
        ("rooms", "/rooms".to_owned()),
        ("nothing", "/messages?q=unknown".to_owned()),
    ];
    let mut backgrounds = Vec::new();
    for (theme, width, is_dark) in [("light", 1280, false), ("dark", 1280, true), ("phone", 390, false)] {
        browser.set_viewport(width, is_dark);
        browser.open(&format!("http://{ops}/"));
        backgrounds.push(browser.style("body", "background-color"));
        // Every page in light mode; in the other modes only those that differ in layout.
        for (name, path) in pages.iter().take(if theme == "light" { pages.len() } else { 8 }) {
            browser.open(&format!("http://{ops}{path}"));
            let size = browser.size();
            assert!(size["width"].as_f64().is_some_and(|seen| seen <= f64::from(width)), "{name} is too wide: {size}");
            browser.screenshot(&format!("{name}-{theme}"));
        }
    }
    assert_ne!(backgrounds[0], backgrounds[1], "dark mode has another background");
}

fn external_id_with_status(gateway: &Gateway, status: &str) -> String {
    let sql = format!("SELECT external_id AS row FROM message_external_ids WHERE status = '{status}' ORDER BY id DESC LIMIT 1");
    gateway.database.query(&sql).concat()
}

fn newest_phone_recipient(gateway: &Gateway) -> String {
    gateway
        .database
        .query("SELECT recipient AS row FROM message_external_ids WHERE recipient LIKE '+%' ORDER BY id DESC LIMIT 1")
        .concat()
}

#[test]
fn pages_work_without_javascript() {
    let gateway = gateway();
    let mut browser = Browser::start();
    let ops = gateway.running().ops;
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
    browser.set_viewport(1280, true);
    browser.open(&format!("http://any-user:{OPS_TOKEN}@{ops}/"));
    for section in ["/messages", "/requests", "/inbound", "/calls", "/rooms", "/suppressions", "/endpoints"] {
        browser.load(|browser| browser.click(&format!("nav a[href='{section}']")));
        assert!(browser.has(&format!("nav a[href='{section}'][aria-current=page]")), "{section}");
    }
    assert!(browser.console_errors.is_empty(), "{:#?}", browser.console_errors);
}
