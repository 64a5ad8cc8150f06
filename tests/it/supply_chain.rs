//! The rules of deny.toml that matter most, checked on Cargo.lock. `./test` runs cargo-deny as well, where it is installed.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;

use crate::tidy::root;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// HTTP/2 ends at the proxy in front. OpenSSL is what libpq links, and ring is what the client of NATS uses.
const BANNED: [&str; 4] = ["h2", "openssl", "native-tls", "aws-lc-sys"];

/// Crates of cryptography, with the versions that they may have.
const CRYPTOGRAPHY: [(&str, &[&str]); 11] = [
    // The older ones belong to nkeys, with which the client of NATS signs its login.
    ("block-buffer", &["0.10", "0.12"]),
    ("crypto-common", &["0.1", "0.2"]),
    ("digest", &["0.10", "0.11"]),
    ("sha2", &["0.10", "0.11"]),
    ("hmac", &["0.13"]),
    ("md-5", &["0.11"]),
    ("openssl-sys", &["0.9"]),
    ("ring", &["0.17"]),
    ("rustls", &["0.23"]),
    ("sha1", &["0.11"]),
    ("subtle", &["2.6"]),
];

/// The only crates that may need the older versions, with what they may need of them.
const OF_NKEYS: [(&str, &str); 3] = [("curve25519-dalek", "digest"), ("ed25519-dalek", "sha2"), ("signature", "digest")];

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

fn packages() -> Vec<Package> {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    toml::from_str::<Lock>(&text).expect("a lock file").package
}

/// The part of a version that has to be equal for two to be compatible, and one more.
fn line(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// The breaches of the rules.
fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Package { name, version, source, checksum, .. } in packages {
        versions.entry(name).or_default().push(line(version));
        let is_own = name == "waybill" && source.is_none();
        if !is_own && (source.as_deref() != Some(REGISTRY) || checksum.is_none()) {
            found.push(format!("{name} {version} is not from crates.io"));
        }
        if BANNED.contains(&name.as_str()) {
            found.push(format!("{name} is banned"));
        }
    }
    for (name, allowed) in CRYPTOGRAPHY {
        let mut seen = versions.remove(name).unwrap_or_default();
        seen.sort();
        if seen != allowed {
            found.push(format!("{name} has the versions {seen:?}, not {allowed:?}"));
        }
    }
    found.extend(users_of_old_lines(packages));
    found
}

/// The crates beside nkeys that need an older version of a digest.
fn users_of_old_lines(packages: &[Package]) -> Vec<String> {
    let is_old = |dependency: &str| ["digest 0.10", "sha2 0.10"].iter().any(|old| dependency.starts_with(old));
    let users = packages.iter().flat_map(|package| {
        package.dependencies.iter().filter(|dependency| is_old(dependency)).map(move |dependency| (package, dependency))
    });
    let is_allowed = |package: &Package, dependency: &str| {
        let (needed, _) = dependency.split_once(' ').unwrap_or((dependency, ""));
        OF_NKEYS.contains(&(package.name.as_str(), needed)) || (package.name == "sha2" && package.version.starts_with("0.10"))
    };
    users
        .filter(|(package, dependency)| !is_allowed(package, dependency))
        .map(|(package, dependency)| format!("{} needs {dependency}", package.name))
        .collect()
}

#[test]
fn dependencies_keep_the_rules() {
    assert_eq!(violations(&packages()), Vec::<String>::new());
}

#[test]
fn breach_of_each_rule_is_found() {
    let package = |name: &str, version: &str, source: &str, dependency: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        source: Some(source.to_owned()),
        checksum: Some(String::new()),
        dependencies: vec![dependency.to_owned()],
    };
    for (added, breach) in [
        (package("h2", "0.4.16", REGISTRY, "http"), "h2 is banned"),
        (package("openssl", "0.10.70", REGISTRY, "openssl-sys"), "openssl is banned"),
        (package("sha1", "0.10.6", REGISTRY, "cfg-if"), "sha1 has the versions"),
        (package("hmac", "0.12.1", REGISTRY, "digest 0.10.7"), "hmac needs digest 0.10.7"),
        (package("left-pad", "1.0.0", "git+https://example.com/left-pad", ""), "left-pad 1.0.0 is not from crates.io"),
    ] {
        let mut packages = packages();
        packages.push(added);
        let found = violations(&packages);
        assert!(found.iter().any(|violation| violation.starts_with(breach)), "{breach}: {found:?}");
    }
}
