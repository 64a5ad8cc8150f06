//! Pages of other sites, in the browser of an operator who is logged in.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};

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

/// A request with exactly these headers, `Host` included.
fn exchange(address: SocketAddr, request_line: &str, headers: &[(&str, &str)]) -> Response {
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{request_line} HTTP/1.1\r\n{}Connection: close\r\nContent-Length: 0\r\n\r\n", lines.concat());
    client::exchange(address, request.as_bytes())
}

/// Every route of the listener, also unknown ones, with 1 for an id.
fn targets() -> Vec<(String, String)> {
    let known = waybill::http::routes().chain(waybill::http::PAGE_ROUTES.iter().copied());
    let unknown = [("get", "/nothing"), ("get", "/api/nothing"), ("put", "/login"), ("get", "/login?code=x"), ("delete", "/")];
    let stream = |path: &str| if path.ends_with("/stream") { format!("{path}?after=wrong") } else { path.replace("{id}", "1") };
    known.chain(unknown).map(|(method, path)| (method.to_uppercase(), stream(path))).collect()
}

#[test]
fn every_response_forbids_scripts_frames_and_caching() {
    let gateway = gateway();
    let bearer = format!("Bearer {OPS_TOKEN}");
    for (method, target) in targets() {
        for authorization in ["", &bearer] {
            let headers = [("Authorization".to_owned(), authorization.to_owned())];
            let response = client::send(gateway.running().ops, &method, &target, &headers, b"");
            let policy = response.header("content-security-policy").unwrap_or_default();
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{method} {target}: {policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("script"), "{method} {target}: {policy}");
            for (name, value) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(response.header(name), Some(value), "{method} {target} {name}");
            }
            assert_eq!(response.header("access-control-allow-origin"), None, "{method} {target}");
        }
    }
}

/// A name that a page rebound to this machine reaches nothing but the probes, also with a password that the browser adds.
#[test]
fn rebound_name_reaches_nothing() {
    let gateway = gateway();
    let ops = gateway.running().ops;
    let port = ops.port();
    let password = format!("Basic {}", STANDARD.encode(format!("any:{OPS_TOKEN}")));
    let own = [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), "waybill.localhost".to_owned()];
    let foreign =
        [format!("evil.example:{port}"), "localhost.evil.example".to_owned(), "127.0.0.1.evil.example".to_owned(), String::new()];
    for target in ["/", "/messages", "/openapi.json", "/requests/1"] {
        let status = |headers: &[(&str, &str)]| exchange(ops, &format!("GET {target}"), headers).status;
        for host in &own {
            assert_ne!(status(&[("Host", host), ("Authorization", &password)]), 421, "{target} {host}");
        }
        for host in &foreign {
            assert_eq!(status(&[("Host", host), ("Authorization", &password)]), 421, "{target} {host}");
            assert_eq!(status(&[("Host", host)]), 421, "{target} {host}");
            assert_eq!(status(&[("Host", host), ("Host", &own[0]), ("Authorization", &password)]) / 100, 4, "{target} {host}");
            // A page behind a proxy with a certificate, and a program: neither is a rebound page.
            let (proxied, bearer) = (("Sec-Fetch-Site", "same-origin"), format!("Bearer {OPS_TOKEN}"));
            assert_ne!(status(&[("Host", host), ("Authorization", &password), proxied]), 421, "{target} {host}");
            assert_ne!(status(&[("Host", host), ("Authorization", &bearer)]), 421, "{target} {host}");
        }
        let absolute = format!("GET http://evil.example{target}");
        assert_eq!(exchange(ops, &absolute, &[("Host", &own[0]), ("Authorization", &password)]).status, 421, "{target}");
    }
}

/// A page of another site cannot use a password that the browser adds: neither to read, nor to hold event streams, nor to change anything.
#[test]
fn page_of_another_site_can_only_link_to_a_page() {
    let gateway = gateway();
    let ops = gateway.running().ops;
    let host = ops.to_string();
    for token in [OPS_TOKEN, READER] {
        let password = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
        for site in ["cross-site", "same-site"] {
            let send = |line: &str, more: &[(&str, &str)]| {
                let all = [&[("Host", host.as_str()), ("Authorization", &password), ("Sec-Fetch-Site", site)], more].concat();
                exchange(ops, line, &all).status
            };
            for (mode, dest) in [("cors", "empty"), ("no-cors", "image"), ("navigate", "iframe"), ("navigate", "embed")] {
                for target in ["/", "/requests/1", "/page.css", "/openapi.json", "/api/events/stream", "/api/messages", "/livez"]
                {
                    let status = send(&format!("GET {target}"), &[("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)]);
                    assert_eq!(status, 403, "{site} {mode} {dest} {target}");
                }
            }
            let link = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
            assert_eq!(send("GET /messages", &link), 200, "{site}");
            for action in ["preview", "replay", "discard"] {
                assert_eq!(send(&format!("POST /requests/1/{action}"), &link), 403, "{site} {action}");
            }
            for method in ["OPTIONS", "TRACE", "PUT", "DELETE"] {
                assert_ne!(send(&format!("{method} /messages"), &link) / 100, 2, "{site} {method}");
            }
        }
    }
}

/// Other spellings of a path lead past no check.
#[test]
fn spelling_of_a_path_leads_past_no_check() {
    let gateway = gateway();
    for target in [
        "/%61pi/messages",
        "//api/messages",
        "/api//messages",
        "/api/./messages",
        "/livez/../api/messages",
        "/livez/..%2fapi/messages",
        "/livez%2f..%2fmessages",
        "/login/../messages",
        "/API/messages",
        "/metrics/",
        "/metrics%00",
        "/messages;x=/livez",
        "/openapi.json/x",
        "*",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            let status = client::send(gateway.running().ops, method, target, &[], b"").status;
            assert!([400, 401].contains(&status), "{method} {target}: {status}");
        }
    }
}
