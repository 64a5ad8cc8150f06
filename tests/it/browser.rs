//! The pages in a real browser. Its pictures are kept in `target/tmp/screenshots`.

use waybill::{fixture::Fixture, provider::SettingKind, providers, time::Clock};

use crate::support::{
    chromium::Browser,
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
};

/// Messages of the last day and month in the shape of real traffic, beside those of the fixtures.
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
    let proofs = providers::ALL.into_iter().flat_map(|spec| {
        spec.settings.iter().filter_map(|setting| match setting.kind {
            SettingKind::Proof { fresh } => Some((format!("{}_{}", spec.prefix(), setting.name), fresh(&[1; 32]))),
            _ => None,
        })
    });
    // The wall clock: the newest rows are from now.
    let gateway = Gateway::on(Database::new(Backend::Sqlite), Clock::System.now(), &proofs.collect::<Vec<_>>());
    for fixture in Fixture::all().expect("fixtures").into_iter().filter(Fixture::is_for_everyone) {
        let endpoint = gateway.endpoint(&fixture.spec.default_path());
        let answer = gateway.send(&fixture.outgoing(endpoint, Clock::System.now()));
        assert_eq!(answer.status, 200, "{}/{}", fixture.spec.name, fixture.name);
    }
    gateway
}

/// A processed request taken back into quarantine, and its message's id.
fn quarantine(gateway: &Gateway) -> (String, String) {
    let of_request = "FROM webhook_events e JOIN message_external_ids m USING (service_type, account, external_id) \
        WHERE e.status = 'delivered' AND m.revision = 1 AND e.service_type = 'twilio' ORDER BY e.id LIMIT 1";
    let [request, external_id] = ["request_id", "external_id"].map(|column| {
        gateway.database.query(&format!("SELECT CAST(e.{column} AS TEXT) AS row {of_request}")).pop().expect("a request")
    });
    gateway.database.execute(&format!(
        "DELETE FROM webhook_events WHERE request_id = {request}; \
         DELETE FROM message_external_ids WHERE external_id = '{external_id}'; \
         UPDATE webhook_requests SET state = 'quarantined', reason = 'poison: the database refused it' WHERE id = {request}"
    ));
    (request, external_id)
}

#[test]
fn people_find_their_way_in_a_real_browser() {
    let gateway = gateway();
    gateway.database.execute(TRAFFIC);
    let (request, external_id) = quarantine(&gateway);
    let mut browser = Browser::start();
    let ops = gateway.running().ops;
    let at = |path: &str| format!("http://{ops}{path}");

    // The password goes with the first address only; the browser keeps it for what follows.
    browser.look(1280, false);
    browser.open(&format!("http://anybody:{OPS_TOKEN}@{ops}/"));
    assert!(browser.markup(".tiles").contains("Delivered"));
    assert!(browser.markup(".plot title").contains("delivered"));

    // The search field, by hand.
    for (sought, by) in [(external_of(&gateway, "delivered"), "the provider’s id"), (recipient_of(&gateway), "recipient")] {
        browser.open(&at("/"));
        browser.search("#search", &sought);
        assert!(browser.markup(".about").contains(by), "{sought}");
        assert!(browser.has("table .id"), "{sought}");
    }
    browser.load(|browser| browser.click("table a.id"));
    assert!(browser.markup("h1").contains("badge"));

    // A quarantined request is replayed by its button.
    browser.open(&at("/requests"));
    browser.load(|browser| browser.click(&format!("a[href='/requests/{request}']")));
    browser.load(|browser| browser.click("button[formaction$='preview']"));
    assert!(browser.markup("main").contains("Nothing was changed yet"));
    browser.load(|browser| browser.click("button.main"));
    assert!(browser.markup("[role=status]").contains("applied"));
    browser.open(&at(&format!("/messages?q={external_id}")));
    browser.load(|browser| browser.click("table a.id"));
    assert!(browser.has(".story .step.good"));

    pictures(&mut browser, &gateway, &request);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

/// Every page, light and dark and as narrow as a telephone; none is wider than its window.
fn pictures(browser: &mut Browser, gateway: &Gateway, request: &str) {
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
        ("overview-30d", "/?period=30d".to_owned()),
        ("calls", "/calls".to_owned()),
        ("rooms", "/rooms".to_owned()),
        ("nothing", "/messages?q=nobody".to_owned()),
    ];
    let mut grounds = Vec::new();
    for (look, width, is_dark) in [("light", 1280, false), ("dark", 1280, true), ("phone", 390, false)] {
        browser.look(width, is_dark);
        browser.open(&format!("http://{ops}/"));
        grounds.push(browser.style("body", "background-color"));
        // Every page once, and in the other looks those that differ in shape.
        for (name, path) in pages.iter().take(if look == "light" { pages.len() } else { 7 }) {
            browser.open(&format!("http://{ops}{path}"));
            let size = browser.size();
            assert!(size["width"].as_f64().is_some_and(|seen| seen <= f64::from(width)), "{name} is too wide: {size}");
            browser.picture(&format!("{name}-{look}"));
        }
    }
    assert_ne!(grounds[0], grounds[1], "dark is another ground than light");
}

fn external_of(gateway: &Gateway, status: &str) -> String {
    let sql = format!("SELECT external_id AS row FROM message_external_ids WHERE status = '{status}' ORDER BY id DESC LIMIT 1");
    gateway.database.query(&sql).concat()
}

fn recipient_of(gateway: &Gateway) -> String {
    gateway
        .database
        .query("SELECT recipient AS row FROM message_external_ids WHERE recipient LIKE '+%' ORDER BY id DESC LIMIT 1")
        .concat()
}

#[test]
fn everything_works_without_javascript() {
    let gateway = gateway();
    let mut browser = Browser::start();
    let ops = gateway.running().ops;
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
    browser.look(1280, true);
    browser.open(&format!("http://anybody:{OPS_TOKEN}@{ops}/"));
    for section in ["/messages", "/requests", "/inbound", "/calls", "/rooms", "/endpoints"] {
        browser.load(|browser| browser.click(&format!("nav a[href='{section}']")));
        assert!(browser.has(&format!("nav a[href='{section}'][aria-current=page]")), "{section}");
    }
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}
