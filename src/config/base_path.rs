//! The path prefix under which a proxy shows the operations listener.

use super::{reader::Reader, variables};

/// The longest prefix of the ops listener.
const MAX_BASE_PATH: usize = 128;

/// The first segments of the ops listener's own paths, with which no prefix may begin: its requests are accepted without the prefix as well.
const OPS_PATHS: [&str; 17] = [
    "api",
    "calls",
    "docs",
    "endpoints",
    "icon.svg",
    "inbound",
    "livez",
    "login",
    "messages",
    "metrics",
    "openapi.json",
    "page.css",
    "readyz",
    "requests",
    "rooms",
    "suppressions",
    "webhooks",
];

/// Reads the prefix; empty, or without a slash at its end.
pub(super) fn read(reader: &mut Reader<'_>) -> String {
    let given = reader.env.get(variables::OPS_BASE_PATH.name).unwrap_or_default().trim_end_matches('/').to_owned();
    let is_plain = |segment: &str| {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !["", ".", ".."].contains(&segment) && segment.bytes().all(is_unreserved)
    };
    let mut segments = given.split('/').skip(1).peekable();
    let is_own = segments.peek().is_some_and(|first| OPS_PATHS.contains(first));
    let fits = given.is_empty() || (given.starts_with('/') && given.len() <= MAX_BASE_PATH && !is_own && segments.all(is_plain));
    if !fits {
        reader.problem(
            variables::OPS_BASE_PATH.name,
            "expected a path such as /waybill, of A-Z, a-z, 0-9, `-`, `.`, `_` and `~`, that does not begin like a path of the operations listener",
        );
    }
    if fits { given } else { String::new() }
}
