//! What runs the gateway (image, compositions, unit, proxies) and what tells how to, held against the code.

use std::{collections::BTreeSet, fs, path::Path};

use waybill::{config::variables, providers};

const FILES: [&str; 8] = [
    "Dockerfile",
    "compose.yaml",
    "docs/deploy.md",
    "docs/proxies/Caddyfile",
    "docs/proxies/haproxy.cfg",
    "docs/proxies/nginx.conf",
    "packaging/kubernetes.yaml",
    "packaging/waybill.service",
];

/// Names in capitals that belong to others: Postgres's image, systemd.
const FOREIGN: [&str; 7] =
    ["POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS", "AF_INET", "AF_INET6", "AF_UNIX"];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// The whole number that stands behind the first such text of a file.
fn number(file: &str, before: &str) -> i32 {
    let text = read(file);
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{file} has no {before}")).1;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect(before)
}

fn port(listen: &variables::Variable) -> &str {
    listen.default.rsplit_once(':').expect("a port").1
}

/// Every variable that has a meaning, of unnamed accounts.
fn known() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = variables::ALL.iter().map(|variable| variable.name.to_owned()).collect();
    for spec in providers::ALL {
        let common = ["SIGNATURE_SCHEMES", "WEBHOOK_URL", "INVALID_PAYLOAD"];
        let settings = spec.settings.iter().map(|setting| setting.name).chain(common);
        names.extend(settings.map(|setting| format!("{}_{setting}", spec.prefix())));
    }
    names.extend(FOREIGN.map(str::to_owned));
    names
}

#[test]
fn only_variables_that_exist_are_named() {
    let known = known();
    let mut seen = 0;
    for file in FILES {
        let text = read(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let is_name = |word: &&str| {
            let all = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            all && word.contains('_') && word.starts_with(|c: char| c.is_ascii_uppercase())
        };
        for word in words.filter(is_name) {
            assert!(known.contains(word), "{file} names {word}, which does not exist");
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} names were found");
}

#[test]
fn ports_are_the_defaults() {
    let (callbacks, operations) = (port(&variables::LISTEN), port(&variables::OPS_LISTEN));
    let stands = |file: &str, wanted: &str| assert!(read(file).contains(wanted), "{file} has no {wanted}");
    for file in ["docs/proxies/Caddyfile", "docs/proxies/haproxy.cfg", "docs/proxies/nginx.conf"] {
        stands(file, variables::LISTEN.default);
        assert!(!read(file).contains(variables::OPS_LISTEN.default), "{file} leads to the operations listener");
    }
    stands("docs/proxies/Caddyfile", &format!("health_port {operations}"));
    stands("docs/proxies/haproxy.cfg", &format!("check port {operations}"));
    stands("Dockerfile", &format!("LISTEN=0.0.0.0:{callbacks}\nEXPOSE {callbacks}\n"));
    for port in [callbacks, operations] {
        stands("compose.yaml", &format!("- 127.0.0.1:{port}:{port}\n"));
        stands("packaging/kubernetes.yaml", &format!("containerPort: {port} }}"));
    }
}

/// Whoever stops a gateway waits for as long as it may take: the delay, ten seconds for what is in work, the last commit.
#[test]
fn nobody_kills_a_gateway_that_is_stopping() {
    let delay: i32 = variables::SHUTDOWN_DELAY.default.parse().expect("seconds");
    for (file, setting) in [
        ("compose.yaml", "stop_grace_period: "),
        ("docs/deploy.md", "--stop-timeout "),
        ("packaging/kubernetes.yaml", "terminationGracePeriodSeconds: "),
        ("packaging/waybill.service", "TimeoutStopSec="),
    ] {
        assert!(number(file, setting) >= delay + 20, "{file}: {setting}");
    }
}

#[test]
fn the_image_is_built_as_the_package_says() {
    let dockerfile = read("Dockerfile");
    for (line, wanted) in [
        ("FROM rust:", env!("CARGO_PKG_RUST_VERSION")),
        ("image.version=\"", env!("CARGO_PKG_VERSION")),
        ("image.licenses=\"", env!("CARGO_PKG_LICENSE")),
    ] {
        let rest = dockerfile.split_once(line).expect(line).1;
        assert!(rest.starts_with(&format!("{wanted}-")) || rest.starts_with(&format!("{wanted}\"")), "{line}{wanted}");
    }
    // Builder and image have the same C library.
    assert!(dockerfile.contains("-bookworm AS build") && dockerfile.contains("cc-debian12:nonroot"));
}

/// A wrong configuration stays wrong; a database that is away (75) comes back.
#[test]
fn the_unit_knows_the_exit_codes() {
    let code = crate::shutdown::command().arg("check").env("LISTEN", "nowhere").output().expect("the binary").status.code();
    assert_eq!(Some(number("packaging/waybill.service", "RestartPreventExitStatus=2 ")), code);
}
