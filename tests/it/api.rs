//! The operations listener: authorization, errors, and the OpenAPI document.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::{Gateway, OPS_TOKEN},
    twilio,
};

const READER: &str = "reader-token-0123456789";

fn gateway() -> Gateway {
    twilio::gateway(Database::new(Backend::Sqlite), 1_773_500_000, &[("OPS_READ_TOKEN", READER)])
}

fn send(gateway: &Gateway, method: &str, target: &str, authorization: Option<&str>) -> Response {
    let headers: Vec<(String, String)> =
        authorization.map(|value| ("Authorization".to_owned(), value.to_owned())).into_iter().collect();
    client::send(gateway.running().ops, method, target, &headers, b"[]")
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn basic(user: &str, token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{token}")))
}

/// Every registered route, with 1 for an id.
fn routes() -> Vec<(String, String)> {
    waybill::http::routes().map(|(method, path)| (method.to_uppercase(), path.replace("{id}", "1"))).collect()
}

/// The status of a response. The query of the event stream is invalid, because a valid one has no end.
fn status(gateway: &Gateway, method: &str, path: &str, authorization: Option<&str>) -> u16 {
    let target = if path.ends_with("/stream") { format!("{path}?after=wrong") } else { path.to_owned() };
    send(gateway, method, &target, authorization).status
}

#[test]
fn authorization_matrix() {
    let gateway = gateway();
    let (all, reader) = (bearer(OPS_TOKEN), bearer(READER));
    let (password, reader_password) = (basic("any-user", OPS_TOKEN), basic("", READER));
    let mut seen = 0;
    for (method, path) in routes() {
        let is_probe = ["/livez", "/readyz"].contains(&path.as_str());
        let takes_password = ["/api/events/stream", "/openapi.json"].contains(&path.as_str()) && method == "GET";
        let status = |authorization: Option<&str>| status(&gateway, &method, &path, authorization);
        let passes = |status: u16| ![401, 403].contains(&status);
        for wrong in [
            None,
            Some("Bearer wrong"),
            Some("Bearer"),
            Some("Basic"),
            Some(&*basic("x", "wrong")),
            Some(&*basic(OPS_TOKEN, "")),
            Some(OPS_TOKEN),
        ] {
            assert_eq!(status(wrong), if is_probe { 200 } else { 401 }, "{method} {path} {wrong:?}");
        }
        assert!(passes(status(Some(&all))), "{method} {path}");
        assert_eq!(passes(status(Some(&reader))), method == "GET", "{method} {path} by the read token");
        for password in [&password, &reader_password] {
            assert_eq!(passes(status(Some(password))), is_probe || takes_password, "{method} {path} by password");
        }
        seen += 1;
    }
    assert!(seen >= 14, "{seen} routes");
}

/// Ids of records that do not exist, of the other kind, and none at all.
#[test]
fn unknown_ids_are_not_found() {
    let gateway = gateway();
    let authorization = vec![("Authorization".to_owned(), bearer(OPS_TOKEN))];
    let send = |method: &str, path: &str| client::send(gateway.running().ops, method, path, &authorization, b"").status;
    for id in
        ["1", "r1", "0", "r0", "-1", "r-1", "9223372036854775807", "9223372036854775808", "r99999999999999999999999", "x", "1x"]
    {
        for (method, path) in [
            ("POST", format!("/api/requests/{id}/replay")),
            ("POST", format!("/api/requests/{id}/replay?dry_run=true")),
            ("POST", format!("/api/requests/{id}/discard")),
            ("GET", format!("/api/requests/{id}")),
            ("GET", format!("/api/messages/{id}")),
            ("GET", format!("/api/messages/{id}/explain")),
            ("POST", format!("/requests/{id}/replay")),
            ("POST", format!("/requests/{id}/preview")),
            ("POST", format!("/requests/{id}/discard")),
            ("GET", format!("/requests/{id}")),
            ("GET", format!("/messages/{id}")),
        ] {
            assert_eq!(send(method, &path), 404, "{method} {path}");
        }
    }
}

/// Credentials, the token in the form, and the statuses of a page and of a form. There is no request 1.
type Row<'r> = (&'r [(&'r str, &'r str)], &'r str, u16, u16);

/// Pages and forms, by every kind of credentials.
#[test]
fn authorization_matrix_of_pages() {
    let gateway = gateway();
    let link = &gateway.running().gateway.login_link;
    let code = link.offer(gateway.running().gateway.clock.now()).expect("a code");
    let login = client::get(gateway.running().ops, &format!("/login?code={code}"), &[]);
    let cookie = login.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let csrf = csrf_token(&gateway);
    let (same, cross) = (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site"));
    let (all, reader) = (bearer(OPS_TOKEN), bearer(READER));
    let (password, reader_password) = (basic("any-user", OPS_TOKEN), basic("", READER));
    let (all, reader) = (("Authorization", all.as_str()), ("Authorization", reader.as_str()));
    let (password, reader_password) = (("Authorization", password.as_str()), ("Authorization", reader_password.as_str()));
    let session = ("Cookie", cookie.as_str());
    let matrix: [Row<'_>; 18] = [
        (&[], &csrf, 401, 401),
        (&[same], &csrf, 401, 401),
        (&[("Authorization", "Bearer wrong"), same], &csrf, 401, 401),
        (&[("Cookie", "waybill-session="), same], &csrf, 401, 401),
        (&[all], "", 200, 404),
        (&[all, cross], &csrf, 403, 403),
        (&[reader], &csrf, 200, 403),
        (&[reader, same], &csrf, 200, 403),
        (&[reader_password, same], &csrf, 200, 403),
        (&[reader_password], &csrf, 200, 403),
        (&[password], &csrf, 200, 403),
        (&[password, same], "", 200, 403),
        (&[password, cross], &csrf, 403, 403),
        (&[password, same], &csrf, 200, 404),
        (&[session], &csrf, 200, 403),
        (&[session, same], "", 200, 403),
        (&[session, cross], &csrf, 403, 403),
        (&[session, same], &csrf, 200, 404),
    ];
    let mut forms = 0;
    for (method, path) in waybill::http::PAGE_ROUTES {
        let path = path.replace("{id}", "1");
        for (headers, csrf, page, form) in matrix {
            let send = |method: &str| {
                let form = [("Content-Type", "application/x-www-form-urlencoded")];
                let headers: Vec<(String, String)> =
                    headers.iter().chain(&form).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                client::send(gateway.running().ops, method, &path, &headers, format!("csrf={csrf}").as_bytes()).status
            };
            let status = send(&method.to_uppercase());
            let (is_form, expected) = if *method == "post" { (true, form) } else { (false, page) };
            // There is no record 1, and `/docs` redirects.
            let is_expected = if !is_form && page == 200 { [200, 308, 404].contains(&status) } else { status == expected };
            assert!(is_expected, "{method} {path} {headers:?} {csrf}: {status}");
            let other = send(if is_form { "GET" } else { "POST" });
            assert_eq!(other, if page == 200 { 405 } else { page }, "another method of {path} {headers:?}");
            forms += usize::from(is_form);
        }
    }
    assert_eq!(forms, 3 * matrix.len());
}

/// The token that the forms of the ops token's holder have.
fn csrf_token(gateway: &Gateway) -> String {
    gateway.database.make_rejected();
    gateway.database.execute(
        "INSERT INTO rejected_requests (service_type, account, cause, method, url, headers, body, received_at) \
         VALUES ('twilio', 'default', 'mismatch', 'POST', '/', '{}', x'', '2026-03-14 12:00:00')",
    );
    let page = client::get(gateway.running().ops, "/requests/r1", &[("Authorization", &basic("x", OPS_TOKEN))]);
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let token = page.split(r#"name="csrf" value=""#).nth(1).and_then(|rest| rest.split('"').next());
    token.unwrap_or_else(|| panic!("no form in {page}")).to_owned()
}

#[test]
fn unauthenticated_response_names_only_the_scheme() {
    let gateway = gateway();
    let challenges = |path: &str| {
        let response = send(&gateway, "GET", path, None);
        let names = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        (response.status, names.map(|(_, value)| value.clone()).collect::<Vec<_>>())
    };
    let both = vec!["Bearer".to_owned(), r#"Basic realm="waybill", charset="UTF-8""#.to_owned()];
    assert_eq!(challenges("/api/messages"), (401, vec!["Bearer".to_owned()]));
    assert_eq!(challenges("/api/nothing"), (401, vec!["Bearer".to_owned()]));
    for path in ["/api/events/stream", "/openapi.json", "/nothing", "/docs/nothing"] {
        assert_eq!(challenges(path), (401, both.clone()), "{path}");
    }
}

#[test]
fn errors_have_one_shape() {
    let gateway = gateway();
    let token = bearer(OPS_TOKEN);
    for (method, path, expected, error) in [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/messages/", 404, "not_found"),
        ("GET", "/api/messages/7", 404, "not_found"),
        ("GET", "/api/events/stream/x", 404, "not_found"),
        ("GET", "/docs/nothing", 404, "not_found"),
        ("DELETE", "/api/messages", 405, "method_not_allowed"),
        ("POST", "/api/events", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("PUT", "/openapi.json", 405, "method_not_allowed"),
        ("GET", "/api/messages?x=1", 400, "invalid_query"),
    ] {
        let response = send(&gateway, method, path, Some(&token));
        let answer = response.json();
        assert_eq!(
            (response.status, &answer["success"], &answer["error"]),
            (expected, &json!(false), &json!(error)),
            "{method} {path}"
        );
        assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}");
        assert_eq!(response.header("content-type"), Some("application/json"), "{path}");
    }
    assert_eq!(send(&gateway, "DELETE", "/api/messages", Some(&token)).header("allow"), Some("GET, HEAD, POST"));
    let headers = [("Authorization".to_owned(), token)];
    let large = client::send(gateway.running().ops, "POST", "/api/messages", &headers, &vec![b' '; 300 << 10]);
    assert_eq!((large.status, &large.json()["error"]), (413, &json!("payload_too_large")));
    let broken = client::send(gateway.running().ops, "POST", "/api/messages", &headers, b"{");
    assert_eq!((broken.status, &broken.json()["error"]), (400, &json!("invalid_registration")));
}

#[test]
fn openapi_document_has_every_route() {
    let gateway = gateway();
    let document = client::get(gateway.running().ops, "/openapi.json", &[("Authorization", &bearer(OPS_TOKEN))]).json();
    assert_eq!(document, serde_json::to_value(waybill::http::openapi()).expect("JSON"));
    assert_eq!(document["openapi"], "3.1.0");
    let operations = |item: &Value| item.as_object().expect("operations").keys().cloned().collect::<Vec<_>>();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| operations(item).into_iter().map(|method| (method, path.clone())))
        .collect();
    let registered: BTreeSet<(String, String)> =
        waybill::http::routes().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(documented, registered);
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let is_open = ["/livez", "/readyz"].contains(&path.as_str());
            assert_eq!(operation["responses"]["401"].is_object(), !is_open, "{method} {path}");
            assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][reference].is_object(), "{reference} is referenced but not defined");
    }
}

#[test]
fn reference_page_has_every_operation_and_schema() {
    let gateway = gateway();
    let (ops, headers) = (gateway.running().ops, [("Authorization", &*basic("x", OPS_TOKEN))]);
    let page = client::get(ops, "/docs/", &headers);
    assert_eq!(page.status, 200);
    let html = String::from_utf8_lossy(&page.body).into_owned();
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "{html}");
    let document = serde_json::to_value(waybill::http::openapi()).expect("JSON");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let (id, method) = (operation["operationId"].as_str().expect("an id"), method.to_uppercase());
            let panel =
                html.split("<section").find(|panel| panel.contains(&format!(r#"id="{id}""#))).unwrap_or_else(|| panic!("{id}"));
            assert!(html.contains(&format!(r##"href="#{id}""##)), "{id} is not among the contents");
            assert!(panel.contains(&format!(">{method}<")) && panel.contains(&format!(">{path}<")), "{panel}");
            for name in operation["parameters"].as_array().into_iter().flatten().map(|parameter| &parameter["name"]) {
                assert!(panel.contains(&format!("<code>{}</code>", name.as_str().expect("a name"))), "{id}: {name}");
            }
            for status in operation["responses"].as_object().expect("responses").keys() {
                assert!(panel.contains(&format!(">{status}</span>")), "{id}: {status}");
            }
            let (before, _) = path.split_once('{').unwrap_or((path, ""));
            let command = panel.split("<pre class=\"try\">").nth(1).expect("a command");
            assert!(command.starts_with("curl") && command.contains(&format!("http://{ops}{before}")), "{command}");
        }
    }
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(html.contains(&format!(r#"id="schema-{name}""#)), "{name}");
    }
    for link in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(html.contains(&format!(r#"id="{link}""#)), "{link} leads nowhere");
    }
    let folder = client::get(ops, "/docs", &headers);
    assert_eq!((folder.status, folder.header("location")), (308, Some("/docs/")));
}
