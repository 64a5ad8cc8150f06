//! The pages of the operations listener over HTTP: access, and the display of untrusted input.

use base64::{Engine, engine::general_purpose::STANDARD};
use waybill::time::Timestamp;

use crate::support::{
    client::{self, Response},
    database::Database,
    gateway::{Gateway, OPS_TOKEN},
};

const READ_TOKEN: &str = "test-read-token-0123456789";

const PAGES: [&str; 11] = [
    "/",
    "/messages",
    "/requests",
    "/inbound",
    "/calls",
    "/rooms",
    "/suppressions",
    "/endpoints",
    "/docs/",
    "/page.css",
    "/icon.svg",
];

const FORM: &str = "application/x-www-form-urlencoded";

fn gateway(database: Database, now: Timestamp) -> Gateway {
    let secret = "a-secret-of-the-tests-0123456789";
    let variables = [
        ("OPS_READ_TOKEN", READ_TOKEN),
        ("MIFUMO_WEBHOOK_SECRET", secret),
        ("TWILIO_AUTH_TOKEN", secret),
        ("TWILIO__ACME__AUTH_TOKEN", secret),
    ];
    Gateway::start_on(database, now, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn basic(token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("any-user:{token}")))
}

fn get(gateway: &Gateway, target: &str, authorization: &str) -> Response {
    client::get(gateway.running().ops, target, &[("Authorization", authorization)])
}

/// The page's HTML; its status must be 200.
fn page(gateway: &Gateway, target: &str) -> String {
    let response = get(gateway, target, &basic(OPS_TOKEN));
    assert_eq!(response.status, 200, "{target}");
    String::from_utf8(response.body).expect("UTF-8")
}

fn post(gateway: &Gateway, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let headers: Vec<(String, String)> =
        headers.iter().chain(&[("Content-Type", FORM)]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    client::send(gateway.running().ops, "POST", target, &headers, body.as_bytes())
}

/// Sends a signed form to Twilio's endpoint.
fn send(gateway: &Gateway, fields: &[(&str, &str)]) {
    let body = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
    let endpoint = gateway.endpoint("/webhooks/twilio");
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), FORM, body);
    // A scheme with delimiters, under which any value is read.
    endpoint.sign(endpoint.spec.schemes[1], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{fields:?}");
}

fn encoded(text: &str) -> String {
    percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Quarantines a request that can be applied.
fn quarantine(gateway: &Gateway) {
    send(gateway, &[("MessageSid", "SM7"), ("MessageStatus", "delivered"), ("To", "+15558675310")]);
    for sql in [
        "DELETE FROM webhook_events",
        "DELETE FROM message_external_ids",
        "UPDATE webhook_requests SET state = 'quarantined', reason = 'poison'",
    ] {
        gateway.database.execute(sql);
    }
}

/// Inserts a rejected request with that text in every field that a client controls.
fn reject(gateway: &Gateway, text: &str) {
    let bytes = match gateway.database {
        Database::Sqlite { .. } => "BLOB",
        Database::Postgres { .. } => "BYTEA",
    };
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let headers = serde_json::json!({ "user-agent": text }).to_string();
    let [text, headers] = [text, &headers].map(quoted);
    gateway.database.make_rejected();
    gateway.database.execute(&format!(
        "INSERT INTO rejected_requests (service_type, account, cause, finding, method, url, headers, body, received_at) \
         VALUES ('twilio', 'default', {text}, {text}, 'POST', {text}, {headers}, CAST({text} AS {bytes}), '2026-03-14 12:00:00')"
    ));
}

/// The CSRF token in the page's form.
fn field(gateway: &Gateway, target: &str) -> String {
    let page = page(gateway, target);
    let field = page.split(r#"name="csrf" value=""#).nth(1).and_then(|rest| rest.split('"').next());
    field.unwrap_or_else(|| panic!("no form in {page}")).to_owned()
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-14T12:00:00Z").expect("an instant")
}

/// The page that a login link leads to, with the cookie that it sets.
fn follow(gateway: &Gateway, code: &str) -> (Response, Option<String>) {
    let response = client::get(gateway.running().ops, &format!("/login?code={code}"), &[]);
    let cookie = response.header("Set-Cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    (response, cookie)
}

fn is_challenge_for_token(response: &Response) -> bool {
    let is_challenge = response.header("WWW-Authenticate").is_some_and(|challenge| challenge.starts_with("Basic "));
    response.status == 401 && is_challenge && response.header("Set-Cookie").is_none()
}

crate::databases! {
    fn login_link_logs_in_once(database) {
        let gateway = gateway(database, noon());
        let code = gateway.running().gateway.login_link.offer(noon()).expect("a code");
        for wrong in ["", "x", &code[1..], &format!("{code}0"), OPS_TOKEN] {
            assert!(is_challenge_for_token(&follow(&gateway, wrong).0), "{wrong}");
        }
        let (response, cookie) = follow(&gateway, &code);
        assert_eq!((response.status, response.header("Location")), (303, Some("/")));
        let attributes = response.header("Set-Cookie").expect("a cookie");
        assert!(attributes.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{attributes}");
        let cookie = cookie.expect("a cookie");
        assert!(!cookie.contains(&code) && !cookie.contains(OPS_TOKEN));
        let with_cookie = |target: &str, cookie: &str| client::get(gateway.running().ops, target, &[("Cookie", cookie)]);
        for target in PAGES {
            assert_eq!(with_cookie(target, &format!("other=1; {cookie}")).status, 200, "{target}");
            assert!(is_challenge_for_token(&with_cookie(target, "waybill-session=")), "{target}");
            assert!(is_challenge_for_token(&with_cookie(target, &format!("waybill-session={code}"))), "{target}");
        }
        assert_eq!(with_cookie("/api/messages", &cookie).status, 401, "for the pages only");
        assert!(is_challenge_for_token(&follow(&gateway, &code).0), "used up");
        assert_eq!(with_cookie(&format!("/login?code={code}"), &cookie).status, 303, "logged in already");
        assert_eq!(get(&gateway, &format!("/login?code={code}"), &basic(OPS_TOKEN)).status, 303, "the token logs in here as well");
        assert!(!gateway.running().gateway.exposition().expect("metrics").contains(&code));
    }

    fn login_link_expires(database) {
        let gateway = gateway(database, noon());
        let ago = |seconds| Timestamp::from_seconds(noon().seconds() - seconds).expect("an instant");
        let link = &gateway.running().gateway.login_link;
        assert!(is_challenge_for_token(&follow(&gateway, "").0), "no link has been offered");
        let old = link.offer(ago(600)).expect("a code");
        assert!(is_challenge_for_token(&follow(&gateway, &old).0));
        let recent = link.offer(ago(599)).expect("a code");
        assert_eq!(follow(&gateway, &recent).0.status, 303);
    }

    fn login_session_requires_the_csrf_token(database) {
        let gateway = gateway(database, noon());
        quarantine(&gateway);
        let code = gateway.running().gateway.login_link.offer(noon()).expect("a code");
        let cookie = follow(&gateway, &code).1.expect("a cookie");
        let state = || gateway.database.rows("webhook_requests")[0]["state"].clone();
        let csrf_field = format!("csrf={}", field(&gateway, "/requests/1"));
        for (site, body) in [(None, csrf_field.as_str()), (Some("cross-site"), &csrf_field), (Some("same-origin"), "csrf=x"), (Some("same-origin"), "")] {
            let headers: Vec<(&str, &str)> = site.map(|site| ("Sec-Fetch-Site", site)).into_iter().chain([("Cookie", cookie.as_str())]).collect();
            assert_eq!(post(&gateway, "/requests/1/discard", &headers, body).status, 403, "{site:?} {body}");
        }
        assert_eq!(state(), "quarantined");
        let headers = [("Sec-Fetch-Site", "same-origin"), ("Cookie", cookie.as_str())];
        assert_eq!(post(&gateway, "/requests/1/discard", &headers, &csrf_field).status, 200);
        assert_eq!(state(), "discarded");
    }

    fn pages_require_a_token(database) {
        let gateway = gateway(database, noon());
        for target in PAGES {
            for (authorization, status) in [
                (basic(OPS_TOKEN), 200),
                (basic(READ_TOKEN), 200),
                (format!("Bearer {OPS_TOKEN}"), 200),
                (basic("wrong"), 401),
                (basic(""), 401),
                ("Basic !".to_owned(), 401),
                (format!("Basic {}", STANDARD.encode(OPS_TOKEN)), 401),
                (format!("Digest {OPS_TOKEN}"), 401),
            ] {
                assert_eq!(get(&gateway, target, &authorization).status, status, "{target} {authorization}");
            }
            let anonymous = client::get(gateway.running().ops, target, &[]);
            assert_eq!((anonymous.status, anonymous.header("WWW-Authenticate")), (401, Some(r#"Basic realm="waybill", charset="UTF-8""#)));
        }
    }

    fn pages_forbid_scripts_frames_and_caching(database) {
        let gateway = gateway(database, noon());
        let answers = PAGES.into_iter().chain(["/messages/1", "/messages?status=nonsense"]).map(|target| get(&gateway, target, &basic(OPS_TOKEN)));
        for answer in answers.chain([client::get(gateway.running().ops, "/", &[])]) {
            let policy = answer.header("Content-Security-Policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("script"));
            for (name, value) in [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store")] {
                assert_eq!(answer.header(name), Some(value), "{name}");
            }
            assert_eq!(answer.header("Set-Cookie"), None);
        }
    }

    fn untrusted_input_is_escaped(database) {
        let gateway = gateway(database, noon());
        let hostile = r#""'><script>alert(1)</script><img src=x onerror=alert(1)>"#;
        send(&gateway, &[("MessageSid", hostile), ("MessageStatus", "failed"), ("To", hostile), ("ErrorCode", hostile), ("ErrorMessage", hostile)]);
        send(&gateway, &[("MessageSid", "SM2"), ("From", hostile), ("To", hostile), ("Body", hostile)]);
        send(&gateway, &[("CallSid", "CAaa8fb77e57d1ca18d593e909729871fe"), ("CallStatus", "ringing"), ("From", hostile), ("To", "+15550001111")]);
        send(&gateway, &[("MessageSid", "SM3"), ("MessageStatus", "sent"), ("MessageStatus", hostile)]);
        send(&gateway, &[("MessageSid", "SM4"), ("MessageStatus", hostile)]);
        reject(&gateway, hostile);
        let targets = ["/", "/messages", "/messages/1", "/requests/1", "/requests/4", "/requests?state=rejected", "/requests/r1", "/endpoints", "/inbound", "/calls"];
        let search = format!("/messages?q={}", encoded(hostile));
        for target in targets.into_iter().chain([search.as_str()]) {
            let page = page(&gateway, target);
            assert!(page.contains("&#60;script") || page.contains("&lt;script"), "{target} does not show it: {page}");
            assert!(!page.contains("<script") && !page.contains("<img"), "{target}: {page}");
        }
    }

    fn forms_require_a_csrf_token(database) {
        let gateway = gateway(database, noon());
        quarantine(&gateway);
        let state = || gateway.database.rows("webhook_requests")[0]["state"].clone();
        let csrf_field = format!("csrf={}", field(&gateway, "/requests/1"));
        let (token, same) = (basic(OPS_TOKEN), ("Sec-Fetch-Site", "same-origin"));
        for (headers, body, status) in [
            (vec![same], csrf_field.as_str(), 401),
            (vec![("Authorization", token.as_str())], &csrf_field, 403),
            (vec![("Authorization", &token), ("Sec-Fetch-Site", "cross-site")], &csrf_field, 403),
            (vec![("Authorization", &token), ("Sec-Fetch-Site", "same-site")], &csrf_field, 403),
            (vec![("Authorization", &token), same], "csrf=", 403),
            (vec![("Authorization", &token), same], "", 403),
            (vec![("Authorization", &token), same], &csrf_field[..csrf_field.len() - 1], 403),
            (vec![("Authorization", &basic(READ_TOKEN)), same], &csrf_field, 403),
        ] {
            for action in ["replay", "discard", "preview"] {
                let answer = post(&gateway, &format!("/requests/1/{action}"), &headers, body);
                assert_eq!((answer.status, state()), (status, "quarantined".into()), "{headers:?} {body}");
            }
        }
        assert!(!page_for_reader(&gateway).contains("<form class=\"actions\""));
        let headers = [("Authorization", token.as_str()), same];
        let preview = post(&gateway, "/requests/1/preview", &headers, &csrf_field);
        assert_eq!((preview.status, state()), (200, "quarantined".into()));
        assert!(String::from_utf8_lossy(&preview.body).contains("SM7"));
        assert_eq!((post(&gateway, "/requests/1/replay", &headers, &csrf_field).status, state()), (200, "processed".into()));
        assert_eq!(gateway.database.rows("message_external_ids")[0]["status"], "delivered");
    }

    fn csrf_token_is_valid_for_two_days(database) {
        let first = gateway(database, noon());
        quarantine(&first);
        let csrf_field = format!("csrf={}", field(&first, "/requests/1"));
        let mut database = first.stop();
        for (day, status) in [("2026-03-15T12:00:00Z", 200), ("2026-03-16T12:00:00Z", 403)] {
            let gateway = gateway(database, Timestamp::parse(day).expect("an instant"));
            let headers = [("Authorization", basic(OPS_TOKEN)), ("Sec-Fetch-Site", "same-origin".to_owned())];
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            assert_eq!(post(&gateway, "/requests/1/preview", &headers, &csrf_field).status, status, "{day}");
            database = gateway.stop();
        }
    }

    fn search_finds_by_id_number_and_reference(database) {
        let gateway = gateway(database, noon());
        send(&gateway, &[("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("To", "+15558675310")]);
        send(&gateway, &[("MessageSid", "SM2"), ("MessageStatus", "sent"), ("To", "+447700900000")]);
        gateway.database.execute("INSERT INTO communication_metrics (reference) VALUES ('order-7')");
        gateway.database.execute("UPDATE message_external_ids SET message_id = (SELECT min(id) FROM communication_metrics) WHERE external_id = 'SM1'");
        for (query, by) in [("SM1", "external ID"), ("1", "message ID"), ("order-7", "reference"), ("%2B15558675310", "recipient"), ("15558675310", "recipient"), ("+SM1+", "external ID")] {
            let page = page(&gateway, &format!("/messages?q={query}"));
            assert!(page.contains(&format!("by {by}.")) && page.contains(">SM1<") && !page.contains(">SM2<"), "{query}: {page}");
        }
        assert!(page(&gateway, "/messages?q=SM").contains("No matching messages"));
        assert!(page(&gateway, "/messages?status=sent&provider=twilio").contains(">SM2<"));
        for wrong in ["status=lost", "provider=unknown", "cursor=x", "q=%00", "unheard=of"] {
            assert_eq!(get(&gateway, &format!("/messages?{wrong}"), &basic(OPS_TOKEN)).status, 400, "{wrong}");
        }
    }

    fn lists_are_filtered_by_time_and_link_to_their_source(database) {
        let gateway = gateway(database, noon());
        send(&gateway, &[("MessageSid", "SM1"), ("MessageStatus", "undelivered"), ("ErrorCode", "30005"), ("To", "+15558675310"), ("From", "+15017122661")]);
        send(&gateway, &[("MessageSid", "SM2"), ("From", "+15558675311"), ("To", "+15017122661"), ("Body", "STOP"), ("NumMedia", "0")]);
        gateway.database.execute("INSERT INTO calls (service_type, account, external_id, status, created_at) VALUES ('twilio', 'default', 'CAaa8f', 'ended', '2026-03-14 12:00:00')");
        for (target, text) in [("/messages", ">SM1<"), ("/inbound", "+15558675311"), ("/calls", "CAaa8f"), ("/requests?state=processed", "/webhooks/twilio"), ("/", ">SM1<")] {
            let separator = if target.contains('?') { '&' } else { '?' };
            for (range, is_shown) in [
                ("since=24h", true),
                ("since=2026-03-14T11:59&until=2026-03-14T12:01:00Z", true),
                ("until=2026-03-14T12:01", true),
                ("since=2026-03-14T10:00:00Z&until=2026-03-14T12:00:00Z", false),
                ("since=2026-03-13&until=2h", false),
            ] {
                let page = page(&gateway, &format!("{target}{separator}{range}"));
                assert_eq!(page.contains(text), is_shown, "{target} {range}: {page}");
            }
            for wrong in ["since=yesterday", "until=24", "since=%00"] {
                assert_eq!(get(&gateway, &format!("{target}{separator}{wrong}"), &basic(OPS_TOKEN)).status, 400, "{target} {wrong}");
            }
        }
        for wrong in ["period=2h", "since=2026-03-14T12:00:00Z&until=2026-03-14T12:00:00Z", "since=1990-01-01"] {
            assert_eq!(get(&gateway, &format!("/?{wrong}"), &basic(OPS_TOKEN)).status, 400, "{wrong}");
        }
        assert!(page(&gateway, "/?period=1h").contains(r#"href="/messages?since=2026%2D03%2D14T11%3A01%3A00Z""#));
        // On Postgres the derivation waits for other transactions of the cluster.
        let started = std::time::Instant::now();
        let suppressions = loop {
            let page = page(&gateway, "/suppressions");
            if page.contains("+15558675311") || started.elapsed() > std::time::Duration::from_secs(30) {
                break page;
            }
        };
        for text in ["hard bounce", "opt out", r#"<a href="/messages/"#, r#"<a href="/inbound?q=%2B15558675311">"#, "Unknown destination handset · 30005"] {
            assert!(suppressions.contains(text), "{text}: {suppressions}");
        }
        for (query, is_shown) in [("q=1-555-867-5310", true), ("reason=hard_bounce&channel=sms", true), ("reason=complaint", false), ("state=lifted", false), ("since=1h", true), ("until=1h", false)] {
            assert_eq!(page(&gateway, &format!("/suppressions?{query}")).contains("+15558675310"), is_shown, "{query}");
        }
        for wrong in ["reason=none", "channel=fax", "state=x"] {
            assert_eq!(get(&gateway, &format!("/suppressions?{wrong}"), &basic(OPS_TOKEN)).status, 400, "{wrong}");
        }
    }

    fn message_pages_have_no_gap_or_repetition(database) {
        let gateway = gateway(database, noon());
        gateway.database.execute(&format!("INSERT INTO message_external_ids (service_type, external_id, status) VALUES {}",
            (0..120).map(|number| format!("('twilio', 'SM{number:03}', 'sent')")).collect::<Vec<_>>().join(", ")));
        let (mut seen, mut target) = (Vec::new(), "/messages?status=sent".to_owned());
        loop {
            let page = page(&gateway, &target);
            seen.extend(page.split(">SM").skip(1).map(|rest| rest[..3].to_owned()));
            let Some(older) = page.split(r#"<a href="/messages?"#).find_map(|rest| rest.split_once(r#"" rel="next""#)) else { break };
            target = format!("/messages?{}", older.0.replace("&#38;", "&"));
        }
        seen.sort();
        assert_eq!(seen, (0..120).map(|number| format!("{number:03}")).collect::<Vec<_>>());
    }
}

fn page_for_reader(gateway: &Gateway) -> String {
    let response = get(gateway, "/requests/1", &basic(READ_TOKEN));
    assert_eq!(response.status, 200);
    String::from_utf8(response.body).expect("UTF-8")
}

#[test]
fn unverified_rows_are_marked_on_every_page() {
    let variables = [("VERIFY_WEBHOOK_SIGNATURES".to_owned(), "false".to_owned())];
    let gateway = Gateway::start_on(Database::new(crate::support::database::Backend::Sqlite), noon(), &variables);
    let answer =
        gateway.post("/webhooks/twilio", &[("Content-Type".to_owned(), FORM.to_owned())], b"MessageSid=SM1&MessageStatus=sent");
    assert_eq!(answer.status, 200);
    for target in PAGES.into_iter().filter(|page| !page.contains('.')).chain(["/messages/1", "/requests/1"]) {
        assert!(page(&gateway, target).contains("Signature verification is off."), "{target}");
    }
    for target in ["/messages", "/messages/1", "/requests?state=processed", "/requests/1"] {
        assert!(page(&gateway, target).contains(r#"<span class="badge warning">not verified</span>"#), "{target}");
    }
}

#[test]
fn endpoint_urls_show_no_secret() {
    let variables = [
        ("SIGNALWIRE_BASIC_AUTH", "canary-user:canary-word-0123456789"),
        ("VONAGE_URL_TOKEN", "canary-0123456789abcdef0123456789"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let gateway = Gateway::start(crate::support::database::Backend::Sqlite, noon(), &variables);
    let page = page(&gateway, "/endpoints");
    assert!(!page.contains("canary"), "{page}");
    assert!(page.contains("${SIGNALWIRE_BASIC_AUTH}@") && page.contains("/t/${VONAGE_URL_TOKEN}"), "{page}");
}
