//! The ops listener: who may do what, what goes wrong, and the document that says so.

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

/// Every registered route, with something in the place of an id.
fn routes() -> Vec<(String, String)> {
    waybill::http::routes().map(|(method, path)| (method.to_uppercase(), path.replace("{id}", "1"))).collect()
}

/// Ends at once where the answer would be endless.
fn status(gateway: &Gateway, method: &str, path: &str, authorization: Option<&str>) -> u16 {
    let target = if path.ends_with("/stream") { format!("{path}?after=wrong") } else { path.to_owned() };
    send(gateway, method, &target, authorization).status
}

#[test]
fn who_may_do_what() {
    let gateway = gateway();
    let (all, reader) = (bearer(OPS_TOKEN), bearer(READER));
    let (password, reader_password) = (basic("anybody", OPS_TOKEN), basic("", READER));
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
        assert_eq!(passes(status(Some(&reader))), method == "GET", "{method} {path}: a token that may only read");
        for password in [&password, &reader_password] {
            assert_eq!(passes(status(Some(password))), is_probe || takes_password, "{method} {path} by password");
        }
        seen += 1;
    }
    assert!(seen >= 14, "{seen} routes");
    for path in ["/docs/", "/docs/swagger-ui.css"] {
        assert_eq!([status(&gateway, "GET", path, Some(&password)), status(&gateway, "GET", path, None)], [200, 401], "{path}");
    }
}

#[test]
fn a_stranger_is_told_how_to_ask_and_not_what_is_there() {
    let gateway = gateway();
    let challenges = |path: &str| {
        let response = send(&gateway, "GET", path, None);
        let names = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        (response.status, names.map(|(_, value)| value.clone()).collect::<Vec<_>>())
    };
    let both = vec!["Bearer".to_owned(), r#"Basic realm="waybill", charset="UTF-8""#.to_owned()];
    assert_eq!(challenges("/api/messages"), (401, vec!["Bearer".to_owned()]));
    assert_eq!(challenges("/api/nothing"), (401, vec!["Bearer".to_owned()]));
    for path in ["/api/events/stream", "/openapi.json", "/docs/", "/nothing", "/docs/nothing"] {
        assert_eq!(challenges(path), (401, both.clone()), "{path}");
    }
}

#[test]
fn whatever_goes_wrong_is_told_in_one_shape() {
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
    assert_eq!(send(&gateway, "DELETE", "/api/messages", Some(&token)).header("allow"), Some("GET, POST"));
    let headers = [("Authorization".to_owned(), token)];
    let large = client::send(gateway.running().ops, "POST", "/api/messages", &headers, &vec![b' '; 300 << 10]);
    assert_eq!((large.status, &large.json()["error"]), (413, &json!("payload_too_large")));
    let broken = client::send(gateway.running().ops, "POST", "/api/messages", &headers, b"{");
    assert_eq!((broken.status, &broken.json()["error"]), (400, &json!("invalid_registration")));
}

#[test]
fn the_document_has_every_route_and_no_other() {
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
        assert!(document["components"]["schemas"][reference].is_object(), "{reference} is named and not there");
    }
}

#[test]
fn the_reference_page_comes_from_here_alone() {
    let gateway = gateway();
    let headers = [("Authorization", &*basic("x", OPS_TOKEN))];
    let page = client::get(gateway.running().ops, "/docs/", &headers);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = String::from_utf8_lossy(&page.body).into_owned();
    assert!(html.contains("swagger-ui") && !html.contains("src=\"http") && !html.contains("href=\"http"), "{html}");
    let start = client::get(gateway.running().ops, "/docs/swagger-initializer.js", &headers);
    assert!(String::from_utf8_lossy(&start.body).contains("/openapi.json"));
    let folder = client::get(gateway.running().ops, "/docs", &headers);
    assert_eq!((folder.status, folder.header("location")), (308, Some("/docs/")));
}
