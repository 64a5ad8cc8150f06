//! Variables, one a line, and the URL of a database among them: findings, and never a secret in one.

#![no_main]

use waybill::config::{Config, Env};

const CANARY: &str = "canary7f3a";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // Names that open files are left out, so that an input means the same on every machine.
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let is_plain = |name: &str| !name.ends_with("_FILE") && !name.contains("SWML") && !name.contains("PATH");
    let env: Env = pairs.filter(|(name, _)| is_plain(name)).collect();
    let inspected = Config::inspect(&env);
    let findings = inspected.problems.iter().chain(&inspected.warnings).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    // Only a value can be a secret.
    let is_in_name = env.names().any(|name| name.contains(CANARY));
    assert!(is_in_name || !findings.contains(CANARY), "a value is shown: {findings}");
    drop(Config::load(&env));
});
