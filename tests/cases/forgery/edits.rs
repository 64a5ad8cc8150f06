//! Edits of a signed request by a client that has captured it and knows no secret.

use std::fmt::Write;

use super::reference;
use crate::{case::TestRequest, support::numbers::Numbers};

/// Bytes that parsers treat in a way of their own.
const SPECIAL: &[u8] = b"&=%+?#;,:/\\\"'{}[]<>@._- \t\0\x7f0aA";

/// A text that attacks put where another was.
const WORDS: [&str; 16] = [
    "delivered",
    "failed",
    "read",
    "received",
    "SM00000000000000000000000000000000",
    "+15550009999",
    "null",
    "true",
    "-1",
    "1e999",
    "",
    " ",
    "\u{e9}",
    "e\u{301}",
    "\u{202e}",
    "\u{fffd}",
];

const TYPES: [&str; 8] = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "Application/X-WWW-Form-Urlencoded;charset=UTF-8",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-8",
    "",
];

const HEADERS: [(&str, &str); 9] = [
    ("X-Forwarded-Host", "elsewhere.example"),
    ("X-Forwarded-Proto", "http"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Original-URL", "/webhooks/other"),
    ("X-Twilio-Webhooks-Signature-Settings", "algorithm=HMAC_SHA256"),
    ("X-Twilio-Webhooks-Signature-Settings", "key=webhooks_sharedkey_00,algorithm=HMAC_SHA1"),
    ("svix-id", "msg_other"),
    ("webhook-timestamp", "0"),
    ("Authorization", "Bearer e30.e30."),
];

type Edit = fn(&mut TestRequest, &mut Numbers);

/// Each changes one part of a request.
const EDITS: [Edit; 17] = [
    |request, numbers| bytes(&mut request.body, numbers),
    |request, numbers| bytes(&mut request.body, numbers),
    |request, numbers| target(request, numbers),
    |request, numbers| target(request, numbers),
    path,
    method,
    content_type,
    header_value,
    header_name,
    header_twice,
    header_dropped,
    header_added,
    headers_swapped,
    form,
    form,
    json,
    moved,
];

/// One to three edits.
pub(crate) fn edit(request: &mut TestRequest, numbers: &mut Numbers) {
    for _ in 0..1 + numbers.below(3) / 2 + numbers.below(4) / 3 {
        numbers.pick(&EDITS)(request, numbers);
    }
}

/// Flips a bit, or inserts, deletes, replaces, swaps, doubles or cuts off bytes.
fn bytes(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    let end = (at + 1 + numbers.below(8)).min(bytes.len());
    let byte = if numbers.below(2) == 0 { *numbers.pick(SPECIAL) } else { numbers.byte() };
    match (numbers.below(10), bytes.is_empty()) {
        (_, true) | (0, _) => bytes.insert(at, byte),
        (1, _) => bytes.push(byte),
        (2, _) => drop(bytes.drain(at..end)),
        (3, _) => bytes[at] = byte,
        (4, _) => {
            let other = numbers.below(bytes.len());
            bytes.swap(at, other);
        }
        (5, _) => {
            let part = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, part));
        }
        (6, _) => bytes.truncate(at),
        (7, _) => drop(bytes.splice(at..end, numbers.pick(&WORDS).bytes())),
        (8, _) => {
            let escaped = format!("%{:02X}", bytes[at]);
            drop(bytes.splice(at..=at, escaped.into_bytes()));
        }
        _ => bytes[at] ^= 1 << numbers.below(8),
    }
}

/// A text changed as bytes, as far as it stays a text.
fn text(text: &mut String, numbers: &mut Numbers) {
    let mut changed = std::mem::take(text).into_bytes();
    bytes(&mut changed, numbers);
    *text = String::from_utf8_lossy(&changed).into_owned();
}

fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// Changes the query.
fn target(request: &mut TestRequest, numbers: &mut Numbers) {
    let (path, query) = split(&request.target);
    let mut query = query.to_owned();
    match numbers.below(6) {
        0 => query = format!("{query}&{}=1", numbers.pick(&WORDS)),
        1 => query = String::new(),
        2 => query = query.split('&').rev().collect::<Vec<_>>().join("&"),
        3 => query = format!("{query}&{query}"),
        _ => text(&mut query, numbers),
    }
    request.target = format!("{path}?{query}");
}

/// Changes the path.
fn path(request: &mut TestRequest, numbers: &mut Numbers) {
    let (path, query) = split(&request.target);
    let mut path = path.to_owned();
    match numbers.below(7) {
        0 => path += "/",
        1 => path = path.replacen('/', "//", 1),
        2 => path = path.to_uppercase(),
        3 => path = path.replacen("/webhooks", "/webhooks/.", 1),
        4 => path += "/other",
        5 => path += ";a=b",
        _ => text(&mut path, numbers),
    }
    request.target = if query.is_empty() { path } else { format!("{path}?{query}") };
}

fn method(request: &mut TestRequest, numbers: &mut Numbers) {
    (*numbers.pick(&["GET", "POST", "PUT", "PATCH", "DELETE", "post"])).clone_into(&mut request.method);
}

fn content_type(request: &mut TestRequest, numbers: &mut Numbers) {
    request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    request.headers.push(("Content-Type".to_owned(), (*numbers.pick(&TYPES)).to_owned()));
}

fn header_value(request: &mut TestRequest, numbers: &mut Numbers) {
    let at = numbers.below(request.headers.len());
    let Some((_, value)) = request.headers.get_mut(at) else { return };
    match numbers.below(6) {
        0 => *value = format!(" {value}"),
        1 => value.push(' '),
        2 => *value = value.to_uppercase(),
        3 => *value = format!("{value}, {value}"),
        _ => text(value, numbers),
    }
}

fn header_name(request: &mut TestRequest, numbers: &mut Numbers) {
    let at = numbers.below(request.headers.len());
    let Some((name, _)) = request.headers.get_mut(at) else { return };
    *name = match numbers.below(4) {
        0 => name.to_uppercase(),
        1 => name.to_lowercase(),
        2 => name.replace('-', "_"),
        _ => format!("{name}s"),
    };
}

/// A header twice: as it is, or with another value before or after it.
fn header_twice(request: &mut TestRequest, numbers: &mut Numbers) {
    let at = numbers.below(request.headers.len());
    let Some((name, mut value)) = request.headers.get(at).cloned() else { return };
    if numbers.below(2) == 0 {
        text(&mut value, numbers);
    }
    request.headers.insert(at + numbers.below(2), (name, value));
}

fn header_dropped(request: &mut TestRequest, numbers: &mut Numbers) {
    if !request.headers.is_empty() {
        request.headers.remove(numbers.below(request.headers.len()));
    }
}

fn header_added(request: &mut TestRequest, numbers: &mut Numbers) {
    let (name, value) = numbers.pick(&HEADERS);
    request.headers.push(((*name).to_owned(), (*value).to_owned()));
}

/// Two headers with each other's values.
fn headers_swapped(request: &mut TestRequest, numbers: &mut Numbers) {
    let (one, other) = (numbers.below(request.headers.len()), numbers.below(request.headers.len()));
    if one != other {
        let value = std::mem::take(&mut request.headers[one].1);
        let swapped = std::mem::replace(&mut request.headers[other].1, value);
        request.headers[one].1 = swapped;
    }
}

type Pair = (Vec<u8>, Vec<u8>);

/// Changes the parameters of a form or a query: their order, number, names, boundaries and spelling.
fn form(request: &mut TestRequest, numbers: &mut Numbers) {
    let (path, query) = split(&request.target);
    let is_query = request.body.is_empty();
    let mut pairs = reference::decode(if is_query { query.as_bytes() } else { &request.body });
    if pairs.is_empty() {
        return;
    }
    let (at, other) = (numbers.below(pairs.len()), numbers.below(pairs.len()));
    match numbers.below(9) {
        0 => pairs.swap(at, other),
        1 => drop(pairs.remove(at)),
        2 => pairs.insert(other, pairs[at].clone()),
        3 => pairs.insert(other, (pairs[at].0.clone(), numbers.pick(&WORDS).as_bytes().to_vec())),
        4 => pairs[at].1 = numbers.pick(&WORDS).as_bytes().to_vec(),
        5 => bytes(&mut pairs[at].0, numbers),
        6 => bytes(&mut pairs[at].1, numbers),
        7 => recut(&mut pairs[at], numbers),
        // Spelled in another way.
        _ => {}
    }
    let encoded = encode(&pairs, numbers.below(2) == 0);
    if is_query {
        request.target = format!("{path}?{encoded}");
    } else {
        request.body = encoded.into_bytes();
    }
}

/// Another boundary between a name and its value.
fn recut((name, value): &mut Pair, numbers: &mut Numbers) {
    let joined = [name.as_slice(), value].concat();
    let (start, end) = joined.split_at(numbers.below(joined.len() + 1));
    (*name, *value) = (start.to_vec(), end.to_vec());
}

fn encode(pairs: &[Pair], escapes_all: bool) -> String {
    let escape = |text: &[u8]| {
        text.iter().fold(String::new(), |mut escaped, byte| {
            if byte.is_ascii_alphanumeric() && !escapes_all {
                escaped.push(char::from(*byte));
            } else {
                write!(escaped, "%{byte:02X}").expect("text");
            }
            escaped
        })
    };
    pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// Changes a JSON object: a member again, with another value, or written in another way.
fn json(request: &mut TestRequest, numbers: &mut Numbers) {
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(&request.body) else { return };
    let Some((name, value)) = members.iter().nth(numbers.below(members.len())) else { return };
    let word = serde_json::Value::from(*numbers.pick(&WORDS));
    let whole = serde_json::Value::from(members.clone());
    let name = serde_json::Value::from(name.as_str());
    let text = match numbers.below(6) {
        0 => whole.to_string().replacen('{', &format!("{{{name}:{word},"), 1),
        1 => format!("{},{name}:{word}}}", whole.to_string().trim_end_matches('}')),
        2 => whole.to_string().replacen(&value.to_string(), &word.to_string(), 1),
        3 => serde_json::to_string_pretty(&whole).expect("JSON"),
        4 => format!("[{whole}]"),
        _ => format!("{whole} "),
    };
    request.body = text.into_bytes();
}

/// The parameters of the body in the query, or those of the query in the body.
fn moved(request: &mut TestRequest, numbers: &mut Numbers) {
    let (path, query) = split(&request.target);
    let (path, query) = (path.to_owned(), query.to_owned());
    if request.body.is_empty() {
        request.body = query.into_bytes();
        request.target = path;
        "POST".clone_into(&mut request.method);
        return content_type(request, numbers);
    }
    let glue = if numbers.below(2) == 0 { "?" } else { "" };
    request.target = format!("{path}{glue}{query}{}", String::from_utf8_lossy(&request.body));
    request.body = Vec::new();
    method(request, numbers);
}

/// The text of a digest or a credential, changed.
pub(super) fn respelled(value: &str, numbers: &mut Numbers) -> String {
    let cut = |end: usize| value.chars().take(end).collect::<String>();
    match numbers.below(20) {
        0 => cut(numbers.below(value.len())),
        1 => format!("{value}{}", numbers.pick(&["A", "=", "0", " ", "\u{e9}", "==", ",", "."])),
        2 => value.to_uppercase(),
        3 => value.to_lowercase(),
        4 => value.trim_end_matches('=').to_owned(),
        5 => value.replace('+', "-").replace('/', "_"),
        6 => format!("{} {}", cut(value.len() / 2), value.chars().skip(value.len() / 2).collect::<String>()),
        7 => value.split_once(['=', ',', ' ']).map_or_else(String::new, |(_, digits)| digits.to_owned()),
        8 => format!("{}{value}", numbers.pick(&["sha256=", "sha1=", "sha512=", "v1,", "v2,", "Bearer ", "Basic ", " "])),
        9 => value.chars().map(|c| if c.is_ascii_alphanumeric() { 'A' } else { c }).collect(),
        10 => value.chars().map(|c| if c.is_ascii_alphanumeric() { '0' } else { c }).collect(),
        11 => (*numbers.pick(&["", " ", "null", "undefined", "[]", "v1,", "sha256=", "Bearer ", "Basic Og==", "Bearer .."]))
            .to_owned(),
        12 => format!("{value} {}", respelled(value, numbers)),
        13 => format!("{} {value}", respelled(value, numbers)),
        14 => format!("{value},{value}"),
        15 => value.replacen("v1,", "v1a,", 1),
        16 => value.chars().rev().collect(),
        17 => transcoded(value),
        _ => {
            let mut changed = value.to_owned();
            text(&mut changed, numbers);
            changed
        }
    }
}

/// The same digest in the other encoding: hex or base64.
fn transcoded(value: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    hex::decode(value)
        .map_or_else(|_| STANDARD.decode(value).map_or_else(|_| value.to_owned(), hex::encode), |digest| STANDARD.encode(digest))
}
