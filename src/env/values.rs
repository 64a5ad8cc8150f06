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

/// The finding about a secret that can be guessed.
pub const WEAK_SECRET: &str =
    "can be guessed: expected at least 16 characters, 8 of them different and not a repetition; `openssl rand -hex 32` makes one";

/// True for a secret that a person chose and that can be guessed. Of what cannot, its form is all that is known.
pub fn is_weak(secret: &str) -> bool {
    const MIN_LENGTH: usize = 16;
    const MIN_DIFFERENT: usize = 8;
    let bytes = secret.as_bytes();
    let mut different = bytes.to_vec();
    different.sort_unstable();
    different.dedup();
    let repeats = |period: usize| bytes.iter().zip(bytes.iter().skip(period)).all(|(one, next)| one == next);
    bytes.len() < MIN_LENGTH || different.len() < MIN_DIFFERENT || (1..MIN_LENGTH.min(bytes.len() / 2 + 1)).any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_detected() {
        for weak in [
            "",
            "ab1",
            "hunter2",
            "0123456789abcde",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "passwordpassword",
            "ab1ab1ab1ab1ab1ab1",
            "abcdefgh1abcdefgh1",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        for strong in
            ["test-ops-token-0123456789", "sw-basic-password-01", "4c8e1b7a9d3f526880", "5e8c1f04a9b7d3626c0f8e1d4b7a9053"]
        {
            assert!(!is_weak(strong), "{strong}");
        }
    }
}
