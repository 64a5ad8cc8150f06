//! The ways in which a captured request can be cut anew under the same signature: Twilio's MAC has no delimiters, does
//! not cover the method, and is tried under several spellings of the URL.

use std::fmt::Write;

use crate::case::Sent;

type Pair = (Vec<u8>, Vec<u8>);

/// Each way by its name, for each place in the request where it can be gone.
pub(crate) fn ways(sent: &Sent) -> Vec<(String, Sent)> {
    let pairs = pairs(if sent.body.is_empty() { query(&sent.target) } else { std::str::from_utf8(&sent.body).unwrap_or("") });
    let is_form = sent.headers.iter().any(|(_, value)| value.starts_with("application/x-www-form-urlencoded"));
    let mut ways = methods(sent);
    ways.extend(respelt(sent));
    ways.extend(query_into_form(sent));
    if is_form && !sent.body.is_empty() {
        ways.extend(form_into_query(sent, &pairs));
        let cut = boundaries(&pairs).into_iter().chain(arrangements(&pairs));
        ways.extend(cut.map(|(way, pairs)| (way, Sent { body: encode(&pairs), ..sent.clone() })));
        ways.push(("every byte escaped".to_owned(), Sent { body: escape_all(&pairs), ..sent.clone() }));
    }
    ways
}

fn query(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

fn pairs(form: &str) -> Vec<Pair> {
    let decode = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).collect();
    let fields = form.split('&').filter(|field| !field.is_empty());
    fields.map(|field| field.split_once('=').unwrap_or((field, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
}

fn escape(bytes: &[u8], is_plain: impl Fn(u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("text");
        }
        text
    })
}

fn encode(pairs: &[Pair]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let fields: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name, plain), escape(value, plain))).collect();
    fields.join("&").into_bytes()
}

fn escape_all(pairs: &[Pair]) -> Vec<u8> {
    let fields: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name, |_| false), escape(value, |_| false))).collect();
    fields.join("&").into_bytes()
}

/// Names in order, as they are signed.
fn sorted(pairs: &[Pair]) -> Vec<Pair> {
    let mut sorted = pairs.to_vec();
    sorted.sort();
    sorted.dedup();
    sorted
}

/// The boundaries between names and values moved, which the signed string does not show.
fn boundaries(pairs: &[Pair]) -> Vec<(String, Vec<Pair>)> {
    let pairs = sorted(pairs);
    let mut ways = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let label = String::from_utf8_lossy(name).into_owned();
        let mut with = |way: &str, replacement: Vec<Pair>, taken: usize| {
            let mut cut = pairs.clone();
            cut.splice(index..index + taken, replacement);
            ways.push((format!("{way} ({label})"), cut));
        };
        let joined = [name.as_slice(), value].concat();
        with("the value moved into the name", vec![(joined.clone(), Vec::new())], 1);
        for at in [1, name.len().saturating_sub(1), (name.len() + 1).min(joined.len())] {
            with("another place for the end of the name", vec![(joined[..at].to_vec(), joined[at..].to_vec())], 1);
        }
        for at in 1..joined.len().min(4) {
            let halves = vec![(joined[..at].to_vec(), Vec::new()), (joined[at..].to_vec(), Vec::new())];
            with("one parameter cut in two", halves, 1);
        }
        let Some((next_name, next_value)) = pairs.get(index + 1) else { continue };
        let swallowed = [value.as_slice(), next_name, next_value].concat();
        with("the next parameter swallowed", vec![(name.clone(), swallowed)], 2);
        with(
            "the name given to the next",
            vec![(name.clone(), [value.as_slice(), &next_name[..1]].concat()), (next_name[1..].to_vec(), next_value.clone())],
            2,
        );
        if let Some((last, rest)) = value.split_last() {
            let next = [&[*last][..], next_name].concat();
            with("the end of a value given to the next name", vec![(name.clone(), rest.to_vec()), (next, next_value.clone())], 2);
        }
    }
    ways
}

/// Order and repetition, which the signed string does not show either.
fn arrangements(pairs: &[Pair]) -> Vec<(String, Vec<Pair>)> {
    let reversed = pairs.iter().rev().cloned().collect();
    let doubled = pairs.iter().chain(pairs).cloned().collect();
    vec![("another order".to_owned(), reversed), ("each parameter twice".to_owned(), doubled)]
}

/// The method is not signed.
fn methods(sent: &Sent) -> Vec<(String, Sent)> {
    let other = if sent.method == "GET" { "POST" } else { "GET" };
    vec![("another method".to_owned(), Sent { method: other.to_owned(), ..sent.clone() })]
}

/// The form as a part of the URL: as GET, as an empty POST, and as a POST of something else.
fn form_into_query(sent: &Sent, pairs: &[Pair]) -> Vec<(String, Sent)> {
    let joined: Vec<u8> = sorted(pairs).into_iter().flat_map(|(name, value)| [name, value].concat()).collect();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%#\"<>".contains(&byte);
    let target = format!("{}{}", sent.target, escape(&joined, plain));
    let mut ways = Vec::new();
    for (method, body) in
        [("GET", ""), ("POST", ""), ("POST", "{\"type\":\"x\"}"), ("POST", "MessageSid=SM0&MessageStatus=delivered")]
    {
        let moved = Sent { method: method.to_owned(), target: target.clone(), body: body.into(), ..sent.clone() };
        ways.push((format!("the form in the URL as {method} with body '{body}'"), moved));
    }
    ways
}

/// A part of the query as the form.
fn query_into_form(sent: &Sent) -> Vec<(String, Sent)> {
    let Some(start) = sent.target.find('?') else { return Vec::new() };
    let mut ways = Vec::new();
    // Around each delimiter, and somewhere else.
    let is_place = |at: usize| at.is_multiple_of(16) || sent.target[at.saturating_sub(1)..].starts_with(['?', '&', '=']);
    for at in (start..sent.target.len()).filter(|&at| is_place(at)) {
        let (target, moved) = sent.target.split_at(at);
        for end in [1, 4, 10].into_iter().filter(|end| moved.is_char_boundary(*end) && *end <= moved.len()) {
            let pair = (moved.as_bytes()[..end].to_vec(), moved.as_bytes()[end..].to_vec());
            let mut form = vec![pair];
            form.extend(pairs(std::str::from_utf8(&sent.body).unwrap_or("")));
            ways.push((format!("the query from {at} as a form"), as_form(sent, target, &form)));
        }
    }
    // Each parameter of the query as one of the form, with the delimiters in the values.
    let (target, moved) = sent.target.split_at(start + 1);
    let form: Vec<Pair> = moved
        .split_inclusive('&')
        .filter_map(|field| field.find('=').map(|at| field.split_at(at)))
        .map(|(name, rest)| (name.as_bytes().to_vec(), rest.as_bytes().to_vec()))
        .collect();
    ways.push(("each parameter of the query as one of the form".to_owned(), as_form(sent, target, &form)));
    ways
}

fn as_form(sent: &Sent, target: &str, form: &[Pair]) -> Sent {
    let mut moved = Sent { method: "POST".to_owned(), target: target.to_owned(), body: encode(form), ..sent.clone() };
    moved.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    moved.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    moved
}

/// The URL in other spellings that providers are known to sign.
fn respelt(sent: &Sent) -> Vec<(String, Sent)> {
    let Some((path, query)) = sent.target.split_once('?') else { return Vec::new() };
    [("%27", "'"), ("'", "%27"), ("%40", "@"), ("@", "%40"), ("%3A", ":"), ("%3A", "%3a"), (":", "%3A")]
        .into_iter()
        .filter(|(from, _)| query.contains(from))
        .map(|(from, to)| {
            let target = format!("{path}?{}", query.replace(from, to));
            (format!("{from} as {to} in the query"), Sent { target, ..sent.clone() })
        })
        .collect()
}
