//! `OPS_BASE_PATH`: the operations listener behind a proxy that keeps, or strips, a path prefix.

use std::collections::BTreeSet;

use serde_json::json;
use waybill::{
    config::{Config, Env},
    time::Timestamp,
};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
    twilio,
};

fn gateway() -> Gateway {
    let gateway = twilio::gateway(Database::new(Backend::Sqlite), 1_773_500_000, &[("OPS_BASE_PATH", "/ops/waybill/")]);
    for body in ["MessageSid=SM1&MessageStatus=sent", "MessageSid=SM2&MessageStatus=sent&MessageStatus=failed"] {
        twilio::form(&gateway, body);
    }
    gateway
}

fn send(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let token = ("Authorization".to_owned(), format!("Bearer {OPS_TOKEN}"));
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([token]);
    client::send(gateway.running().ops, method, path, &headers.collect::<Vec<_>>(), body.as_bytes())
}

fn text(response: Response) -> String {
    String::from_utf8(response.body).expect("UTF-8")
}

/// The values of an attribute in a page.
fn attributes<'p>(page: &'p str, name: &str) -> BTreeSet<&'p str> {
    let start = format!(" {name}=\"");
    page.match_indices(&start).filter_map(|(at, _)| page[at + start.len()..].split('"').next()).collect()
}

#[test]
fn every_link_and_form_of_the_pages_has_the_prefix() {
    let gateway = gateway();
    let mut seen = BTreeSet::new();
    for (_, path) in waybill::http::PAGE_ROUTES.iter().filter(|(method, _)| *method == "get") {
        let id = if path.starts_with("/requests") { "2" } else { "1" };
        let path = path.replace("{id}", id);
        let [direct, proxied] = [path.clone(), format!("/ops/waybill{path}")].map(|path| send(&gateway, "GET", &path, &[], ""));
        assert_eq!(direct.status, proxied.status, "{path}");
        assert_eq!(direct.header("location"), proxied.header("location"), "{path}");
        if !proxied.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html")) {
            continue;
        }
        let page = text(proxied);
        for link in ["href", "action", "formaction", "src"].iter().flat_map(|name| attributes(&page, name)) {
            assert!(link.starts_with("/ops/waybill/") || link.starts_with(['#', '?']), "{path}: {link}");
            seen.insert(link.to_owned());
        }
    }
    for link in ["/ops/waybill/page.css", "/ops/waybill/", "/ops/waybill/messages/1", "/ops/waybill/requests/2/replay"] {
        assert!(seen.contains(link), "{link} in {seen:?}");
    }
    // What a browser follows exists.
    for link in seen.iter().filter(|link| link.starts_with('/') && !link.contains("/requests/2/")) {
        let path = link.split('#').next().unwrap_or_default().replace("&amp;", "&").replace("&#38;", "&");
        assert_eq!(send(&gateway, "GET", &path, &[], "").status, 200, "{link}");
    }
    let folder = send(&gateway, "GET", "/ops/waybill/docs", &[], "");
    assert_eq!((folder.status, folder.header("location")), (308, Some("/ops/waybill/docs/")));
    let reference = text(send(&gateway, "GET", "/ops/waybill/docs/", &[], ""));
    assert!(reference.contains("/ops/waybill/api/messages") && !reference.contains(":0/api"), "curl examples");
    let anonymous = text(client::get(gateway.running().ops, "/ops/waybill/messages", &[]));
    assert!(anonymous.contains(r#"href="/ops/waybill/page.css""#), "{anonymous}");
}

#[test]
fn forms_and_login_links_work_with_the_prefix() {
    let gateway = gateway();
    let page = text(send(&gateway, "GET", "/ops/waybill/requests/2", &[], ""));
    let csrf = page.split(r#"name="csrf" value=""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a token").to_owned();
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "same-origin")];
    let discarded = send(&gateway, "POST", "/ops/waybill/requests/2/discard", &form, &format!("csrf={csrf}"));
    assert_eq!(discarded.status, 200);
    assert!(text(discarded).contains(r#"href="/ops/waybill/requests?state="#));
    let running = gateway.running();
    let code = running.gateway.login_link.offer(running.gateway.clock.now()).expect("a code");
    let login = client::get(running.ops, &format!("/ops/waybill/login?code={code}"), &[]);
    assert_eq!((login.status, login.header("location")), (303, Some("/ops/waybill/")));
    let cookie = login.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("Path=/ops/waybill/;"), "{cookie}");
    let session = cookie.split(';').next().expect("a session");
    assert_eq!(client::get(running.ops, "/ops/waybill/", &[("Cookie", session)]).status, 200);
}

#[test]
fn api_metrics_and_probes_answer_with_and_without_the_prefix() {
    let gateway = gateway();
    for prefix in ["", "/ops/waybill"] {
        for path in ["/api/messages?limit=1", "/api/health", "/metrics", "/openapi.json", "/livez", "/readyz"] {
            assert_eq!(send(&gateway, "GET", &format!("{prefix}{path}"), &[], "").status, 200, "{prefix}{path}");
            let is_probe = path.ends_with('z');
            let without = client::get(gateway.running().ops, &format!("{prefix}{path}"), &[]).status;
            assert_eq!(without, if is_probe { 200 } else { 401 }, "{prefix}{path} without a token");
        }
    }
    let document = send(&gateway, "GET", "/ops/waybill/openapi.json", &[], "").json();
    assert_eq!(document["servers"], json!([{ "url": "/ops/waybill" }]));
    assert_eq!(send(&gateway, "GET", "/ops/waybill", &[], "").status, 200);
    for path in ["/ops", "/ops/", "/ops/waybillx/messages", "/OPS/waybill/messages", "/ops/waybill/ops/waybill/messages"] {
        assert_eq!(send(&gateway, "GET", path, &[], "").status, 404, "{path}");
        assert_eq!(client::get(gateway.running().ops, path, &[]).status, 401, "{path}");
    }
    assert_eq!(client::get(gateway.address(), "/ops/waybill/livez", &[]).status, 404, "the public listener has no prefix");
    let now = Timestamp::from_seconds(1_000).expect("an instant");
    let plain = Gateway::start(Backend::Sqlite, now, &[]);
    assert_eq!(send(&plain, "GET", "/openapi.json", &[], "").json().get("servers"), None);
}

#[test]
fn prefix_is_validated() {
    let load = |value: &str| Config::load(&[("OPS_BASE_PATH", value)].into_iter().collect::<Env>());
    for (value, path) in
        [("", ""), ("/", ""), ("/waybill", "/waybill"), ("/waybill/", "/waybill"), ("/a/b-c.d_e~1", "/a/b-c.d_e~1")]
    {
        assert_eq!(load(value).expect("a configuration").config.ops_base_path, path, "{value}");
    }
    let long = format!("/{}", "x".repeat(200));
    for wrong in [
        "waybill",
        "//waybill",
        "/a//b",
        "/a/../b",
        "/.",
        "/a b",
        "/a?b",
        "/%61",
        "/\u{e9}",
        "https://h/waybill",
        "/api",
        "/messages/x",
        &long,
    ] {
        let problems = load(wrong).expect_err(wrong);
        assert_eq!(problems.0.iter().map(|one| one.variable.as_str()).collect::<Vec<_>>(), ["OPS_BASE_PATH"], "{wrong}");
    }
}

/// A prefix that begins like a route would be ambiguous.
#[test]
fn first_segment_of_every_route_is_reserved() {
    let routes = waybill::http::routes().chain(waybill::http::PAGE_ROUTES.iter().copied());
    let segments: BTreeSet<&str> = routes.filter_map(|(_, path)| path.split('/').nth(1)).filter(|one| !one.is_empty()).collect();
    for segment in segments.into_iter().chain(["login"]) {
        let env: Env = [("OPS_BASE_PATH", format!("/{segment}/x"))].into_iter().collect();
        assert!(Config::load(&env).is_err(), "{segment} is missing in src/config/base_path.rs");
    }
}
