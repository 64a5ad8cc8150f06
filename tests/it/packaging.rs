//! The image, the compose file, the unit, the proxy configurations and their documentation, checked against the code.

use std::{collections::BTreeSet, fs, path::Path};

use waybill::{
    config::{Config, variables},
    providers,
};

const FILES: [&str; 11] = [
    "Dockerfile",
    "compose.yaml",
    "docs/deploy.md",
    "docs/proxies/Caddyfile",
    "docs/proxies/haproxy.cfg",
    "docs/proxies/nginx.conf",
    "packaging/kubernetes.yaml",
    "packaging/nats/compose.yaml",
    "packaging/nats/kubernetes.yaml",
    "packaging/nats/nats.conf",
    "packaging/waybill.service",
];

/// Names in capitals that are not Waybill's: those of the images of Postgres and NATS, of a stream, and of systemd.
const FOREIGN: [&str; 10] = [
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_INITDB_ARGS",
    "NATS_NAME",
    "NATS_PASSWORD",
    "WAYBILL_DEAD",
    "AF_INET",
    "AF_INET6",
    "AF_UNIX",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// The whole number that follows the first occurrence of a text in a file.
fn number(file: &str, before: &str) -> i32 {
    let text = read(file);
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{file} has no {before}")).1;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect(before)
}

fn port(listen: &variables::Variable) -> &str {
    listen.default.rsplit_once(':').expect("a port").1
}

/// Every variable that a default account can have.
fn known() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = variables::ALL.iter().map(|variable| variable.name.to_owned()).collect();
    for spec in providers::ALL {
        let common = ["SIGNATURE_SCHEMES", "WEBHOOK_URL", "INVALID_PAYLOAD", "MATCH_UNSCOPED_REFERENCES"];
        let settings = spec.settings.iter().map(|setting| setting.name).chain(common);
        names.extend(settings.map(|setting| format!("{}_{setting}", spec.prefix())));
    }
    let secrets = variables::ALL.iter().filter(|variable| variable.is_secret()).map(|variable| variable.name.to_owned());
    let of_providers = providers::ALL.iter().flat_map(|spec| {
        let secrets = spec.settings.iter().filter(|setting| setting.kind.is_secret());
        secrets.map(|setting| format!("{}_{}", spec.prefix(), setting.name))
    });
    names.extend(secrets.chain(of_providers).map(|name| format!("{name}_FILE")).collect::<Vec<_>>());
    names.extend(FOREIGN.map(str::to_owned));
    names
}

#[test]
fn packaging_names_existing_variables() {
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
fn packaging_uses_default_ports() {
    let (callbacks, operations) = (port(&variables::LISTEN), port(&variables::OPS_LISTEN));
    let assert_contains = |file: &str, wanted: &str| assert!(read(file).contains(wanted), "{file} has no {wanted}");
    for file in ["docs/proxies/Caddyfile", "docs/proxies/haproxy.cfg", "docs/proxies/nginx.conf"] {
        assert_contains(file, variables::LISTEN.default);
        assert!(!read(file).contains(variables::OPS_LISTEN.default), "{file} forwards to the operations listener");
    }
    assert_contains("docs/proxies/Caddyfile", &format!("health_port {operations}"));
    assert_contains("docs/proxies/haproxy.cfg", &format!("check port {operations}"));
    assert_contains("Dockerfile", &format!("LISTEN=0.0.0.0:{callbacks}\nEXPOSE {callbacks}\n"));
    for port in [callbacks, operations] {
        assert_contains("compose.yaml", &format!("- 127.0.0.1:{port}:{port}\n"));
        assert_contains("packaging/kubernetes.yaml", &format!("containerPort: {port} }}"));
        assert_contains("packaging/nats/kubernetes.yaml", &format!("containerPort: {port} }}"));
        assert_contains("packaging/nats/compose.yaml", &format!("127.0.0.1:{port}:{port}"));
    }
}

/// Every port of a pod is named by a rule that lists its clients, and no network is trusted before it is set.
#[test]
fn kubernetes_restricts_clients_and_proxies() {
    let manifest = read("packaging/kubernetes.yaml");
    let policy = manifest.split("---\n").find(|document| document.contains("kind: NetworkPolicy")).expect("a policy");
    assert!(policy.contains("matchLabels: { app: waybill }") && policy.contains("policyTypes: [Ingress]"));
    let rules: Vec<&str> = policy.split("    - from:\n").skip(1).collect();
    for (rule, port) in rules.iter().zip(["callbacks", "operations"]) {
        assert!(rule.contains("namespaceSelector:") && rule.contains(&format!("port: {port} }}")), "{rule}");
        assert!(manifest.contains(&format!("name: {port}, containerPort")), "{port}");
    }
    assert_eq!((rules.len(), policy.matches("ports:").count()), (2, 2), "no rule without clients");
    let value = manifest.split_once("name: TRUSTED_PROXIES, value: \"").expect("a value").1.split('"').next().expect("a value");
    let env = [("TRUSTED_PROXIES", value)].into_iter().collect();
    let problems = Config::inspect(&env).problems;
    assert!(problems.iter().any(|problem| problem.variable == "TRUSTED_PROXIES"), "{value} is accepted");
}

/// The fleet has each part as often as its documentation says, and its queue keeps what it confirmed.
#[test]
fn fleet_has_two_gateways_three_servers_and_two_writers() {
    let compose = read("packaging/nats/compose.yaml");
    let manifest = read("packaging/nats/kubernetes.yaml");
    for part in ["gateway-1:", "gateway-2:", "writer-1:", "writer-2:", "nats-1:", "nats-2:", "nats-3:", "postgres:"] {
        assert!(compose.contains(&format!("\n  {part}\n")), "{part}");
    }
    let part = |name: &str| {
        let header = format!("  name: {name}\n");
        manifest.split("---\n").find(|one| one.contains("replicas:") && one.contains(&header)).unwrap_or_else(|| panic!("{name}"))
    };
    for (name, replicas, role) in [("waybill-gateway", 2, "gateway"), ("waybill-writer", 2, "writer"), ("nats", 3, "")] {
        assert!(part(name).contains(&format!("  replicas: {replicas}\n")), "{name}");
        assert!(role.is_empty() || part(name).contains(&format!("name: WAYBILL_ROLE, value: {role} }}")), "{name}");
        assert_eq!(part(name).contains("waybill-writer }"), name == "waybill-writer", "the database belongs to writers");
    }
    for text in [&read("packaging/nats/nats.conf"), &manifest] {
        assert!(text.contains("sync_interval: always"));
    }
    assert!(compose.contains("QUEUE_REPLICAS: 3") && manifest.matches("name: QUEUE_REPLICAS, value: \"3\"").count() == 2);
}

/// Stop timeouts allow for the delay, ten seconds for requests in progress, and the last commit.
#[test]
fn stop_timeouts_exceed_shutdown_delay() {
    let delay: i32 = variables::SHUTDOWN_DELAY.default.parse().expect("seconds");
    for (file, setting) in [
        ("compose.yaml", "stop_grace_period: "),
        ("docs/deploy.md", "--stop-timeout "),
        ("packaging/kubernetes.yaml", "terminationGracePeriodSeconds: "),
        ("packaging/nats/compose.yaml", "stop_grace_period: "),
        ("packaging/nats/kubernetes.yaml", "terminationGracePeriodSeconds: "),
        ("packaging/waybill.service", "TimeoutStopSec="),
    ] {
        assert!(number(file, setting) >= delay + 20, "{file}: {setting}");
    }
}

#[test]
fn image_matches_package_metadata() {
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

/// Packages have TLS to Postgres and the slow optimizations; a first look has neither.
#[test]
fn packages_are_built_with_tls_and_the_profile_for_distribution() {
    let build = "cargo build --locked --profile dist --features postgres-tls";
    for file in ["Dockerfile", "docs/deploy.md", "packaging/waybill.service"] {
        assert!(read(file).contains(build), "{file}");
        assert!(!read(file).contains("target/release/"), "{file}");
    }
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    assert!(manifest["features"]["postgres-tls"].is_array());
    assert_eq!(manifest["features"]["default"].as_array().map(Vec::as_slice), Some(&["bundled-libpq".into()][..]));
    let dist = &manifest["profile"]["dist"];
    for (setting, wanted) in [("lto", "thin".into()), ("codegen-units", toml::Value::Integer(1)), ("strip", "symbols".into())] {
        assert_eq!(dist[setting], wanted, "{setting}");
    }
    // Figures of benchmarks are those of packages.
    for setting in ["lto", "codegen-units", "package"] {
        assert_eq!(manifest["profile"]["bench"][setting], dist[setting], "{setting}");
    }
}

/// A restart does not fix a wrong configuration; an unavailable database (75) may return.
#[test]
fn unit_does_not_restart_on_configuration_errors() {
    let code = crate::shutdown::command().arg("check").env("LISTEN", "nowhere").output().expect("the binary").status.code();
    assert_eq!(Some(number("packaging/waybill.service", "RestartPreventExitStatus=2 ")), code);
}
