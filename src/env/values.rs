//! The forms of values that several variables share.

use std::net::IpAddr;

use ipnet::IpNet;

/// The finding about a secret that is none.
pub const SECRET_EXPECTED: &str = "expected a real secret without quotes; this is empty, blank or a placeholder";

/// The form of a list of networks.
pub const NETWORKS_EXPECTED: &str = "a comma list of networks or addresses such as 10.0.0.0/8";

/// The parts of a comma list.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Parses a network, or a single address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// True for a value that was obviously never filled in.
pub fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 14] = [
        "changeme",
        "change-me",
        "change_me",
        "replace_me",
        "secret",
        "password",
        "token",
        "todo",
        "placeholder",
        "none",
        "null",
        "test",
        "example",
        "undefined",
    ];
    const STARTS: [&str; 6] = ["your_", "your-", "insert-", "insert_", "${", "<"];
    // Tools that read an environment file without a shell leave the quotes in.
    const BRACKETS: [(&str, &str); 3] = [("[", "]"), ("\"", "\""), ("'", "'")];
    let lower = value.trim().to_ascii_lowercase();
    let is_one_character = lower.chars().all(|c| lower.starts_with(c));
    let is_bracketed = BRACKETS.iter().any(|(open, close)| lower.starts_with(open) && lower.ends_with(close));
    let starts_so = STARTS.iter().any(|start| lower.starts_with(start));
    is_one_character || is_bracketed || starts_so || WORDS.contains(&lower.as_str())
}
