//! Other encodings of a captured request under the same signature. Twilio's MAC has no delimiters, does not cover the method, and
//! is checked against several encodings of the URL.

use std::fmt::Write;

use serde_json::Value;

use crate::case::TestRequest;

type Pair = (Vec<u8>, Vec<u8>);

/// Each variant with its name.
pub(crate) fn variants(request: &TestRequest) -> Vec<(String, TestRequest)> {
    let pairs =
        pairs(if request.body.is_empty() { query(&request.target) } else { std::str::from_utf8(&request.body).unwrap_or("") });
    let is_form = has_type(request, FORM);
    let mut variants = methods(request);
    variants.extend(in_other_places(request));
    variants.extend(respelled(request));
    variants.extend(query_into_form(request));
    if is_form && !request.body.is_empty() {
        variants.extend(form_into_query(request, &pairs));
        let others = boundaries(&pairs).into_iter().chain(arrangements(&pairs));
        variants.extend(others.map(|(way, pairs)| (way, TestRequest { body: encode(&pairs), ..request.clone() })));
        variants.push(("every byte escaped".to_owned(), TestRequest { body: escape_all(&pairs), ..request.clone() }));
    }
    variants
}

/// The parameters of a query, a form or a flat JSON object in each of the other two places.
pub(crate) fn in_other_places(request: &TestRequest) -> Vec<(String, TestRequest)> {
    let is_form = has_type(request, FORM);
    let pairs: Vec<Pair> = if request.body.is_empty() || is_form {
        pairs(if is_form { std::str::from_utf8(&request.body).unwrap_or("") } else { query(&request.target) })
    } else {
        let Ok(Value::Object(members)) = serde_json::from_slice(&request.body) else { return Vec::new() };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes();
        members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone().into_bytes(), text(value)))
            .collect()
    };
    let path = request.target.split('?').next().unwrap_or_default();
    let encoded = String::from_utf8(encode(&pairs)).expect("ASCII");
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes)).to_string();
    let members: Vec<String> = pairs.iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    let json = format!("{{{}}}", members.join(","));
    let with = |method: &str, target: String, media_type: &str, body: String| {
        let request = TestRequest { method: method.to_owned(), target, body: body.into_bytes(), ..request.clone() };
        typed(&request, media_type)
    };
    vec![
        ("the parameters in the query".to_owned(), with("GET", format!("{path}?{encoded}"), FORM, String::new())),
        ("the parameters as a form".to_owned(), with("POST", path.to_owned(), FORM, encoded)),
        ("the parameters as JSON".to_owned(), with("POST", path.to_owned(), "application/json", json)),
    ]
}

const FORM: &str = "application/x-www-form-urlencoded";

fn has_type(request: &TestRequest, media_type: &str) -> bool {
    request.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("content-type") && value.starts_with(media_type))
}

fn typed(request: &TestRequest, media_type: &str) -> TestRequest {
    let mut typed = request.clone();
    typed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    typed.headers.push(("Content-Type".to_owned(), media_type.to_owned()));
    typed
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

/// Parameters in the order in which they are signed.
fn sorted(pairs: &[Pair]) -> Vec<Pair> {
    let mut sorted = pairs.to_vec();
    sorted.sort();
    sorted.dedup();
    sorted
}

/// Variants with moved boundaries between names and values, which have the same signed string.
fn boundaries(pairs: &[Pair]) -> Vec<(String, Vec<Pair>)> {
    let pairs = sorted(pairs);
    let mut variants = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let label = String::from_utf8_lossy(name).into_owned();
        let mut with = |way: &str, replacement: Vec<Pair>, taken: usize| {
            let mut changed = pairs.clone();
            changed.splice(index..index + taken, replacement);
            variants.push((format!("{way} ({label})"), changed));
        };
        let joined = [name.as_slice(), value].concat();
        with("the value moved into the name", vec![(joined.clone(), Vec::new())], 1);
        for at in [1, name.len().saturating_sub(1), (name.len() + 1).min(joined.len())] {
            with("another place for the end of the name", vec![(joined[..at].to_vec(), joined[at..].to_vec())], 1);
        }
        for at in 1..joined.len().min(4) {
            let halves = vec![(joined[..at].to_vec(), Vec::new()), (joined[at..].to_vec(), Vec::new())];
            with("one parameter split in two", halves, 1);
        }
        let Some((next_name, next_value)) = pairs.get(index + 1) else { continue };
        let swallowed = [value.as_slice(), next_name, next_value].concat();
        with("the next parameter joined to the value", vec![(name.clone(), swallowed)], 2);
        with(
            "the name joined to the next",
            vec![(name.clone(), [value.as_slice(), &next_name[..1]].concat()), (next_name[1..].to_vec(), next_value.clone())],
            2,
        );
        if let Some((last, rest)) = value.split_last() {
            let next = [&[*last][..], next_name].concat();
            with("the end of a value moved to the next name", vec![(name.clone(), rest.to_vec()), (next, next_value.clone())], 2);
        }
    }
    variants
}

/// Variants in order and repetition, which have the same signed string.
fn arrangements(pairs: &[Pair]) -> Vec<(String, Vec<Pair>)> {
    let reversed = pairs.iter().rev().cloned().collect();
    let doubled = pairs.iter().chain(pairs).cloned().collect();
    vec![("another order".to_owned(), reversed), ("each parameter twice".to_owned(), doubled)]
}

/// A variant with another method, which is not signed.
fn methods(request: &TestRequest) -> Vec<(String, TestRequest)> {
    let other = if request.method == "GET" { "POST" } else { "GET" };
    vec![("another method".to_owned(), TestRequest { method: other.to_owned(), ..request.clone() })]
}

/// Variants with the form moved into the URL: a GET, an empty POST, and a POST with another body.
fn form_into_query(request: &TestRequest, pairs: &[Pair]) -> Vec<(String, TestRequest)> {
    let joined: Vec<u8> = sorted(pairs).into_iter().flat_map(|(name, value)| [name, value].concat()).collect();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%#\"<>".contains(&byte);
    let target = format!("{}{}", request.target, escape(&joined, plain));
    let mut variants = Vec::new();
    for (method, body) in
        [("GET", ""), ("POST", ""), ("POST", "{\"type\":\"x\"}"), ("POST", "MessageSid=SM0&MessageStatus=delivered")]
    {
        let moved = TestRequest { method: method.to_owned(), target: target.clone(), body: body.into(), ..request.clone() };
        variants.push((format!("the form in the URL as {method} with body '{body}'"), moved));
    }
    variants
}

/// Variants with a part of the query moved into the form.
fn query_into_form(request: &TestRequest) -> Vec<(String, TestRequest)> {
    let Some(start) = request.target.find('?') else { return Vec::new() };
    let mut variants = Vec::new();
    // Around each delimiter, and at every 16th byte.
    let is_place = |at: usize| at.is_multiple_of(16) || request.target[at.saturating_sub(1)..].starts_with(['?', '&', '=']);
    for at in (start..request.target.len()).filter(|&at| is_place(at)) {
        let (target, moved) = request.target.split_at(at);
        for end in [1, 4, 10].into_iter().filter(|end| moved.is_char_boundary(*end) && *end <= moved.len()) {
            let pair = (moved.as_bytes()[..end].to_vec(), moved.as_bytes()[end..].to_vec());
            let mut form = vec![pair];
            form.extend(pairs(std::str::from_utf8(&request.body).unwrap_or("")));
            variants.push((format!("the query from {at} as a form"), as_form(request, target, &form)));
        }
    }
    // Each parameter of the query as one of the form, with the delimiters in the values.
    let (target, moved) = request.target.split_at(start + 1);
    let form: Vec<Pair> = moved
        .split_inclusive('&')
        .filter_map(|field| field.find('=').map(|at| field.split_at(at)))
        .map(|(name, rest)| (name.as_bytes().to_vec(), rest.as_bytes().to_vec()))
        .collect();
    variants.push(("each parameter of the query as one of the form".to_owned(), as_form(request, target, &form)));
    variants
}

fn as_form(request: &TestRequest, target: &str, form: &[Pair]) -> TestRequest {
    typed(&TestRequest { method: "POST".to_owned(), target: target.to_owned(), body: encode(form), ..request.clone() }, FORM)
}

/// The URL in other encodings that providers are known to sign.
fn respelled(request: &TestRequest) -> Vec<(String, TestRequest)> {
    let Some((path, query)) = request.target.split_once('?') else { return Vec::new() };
    [("%27", "'"), ("'", "%27"), ("%40", "@"), ("@", "%40"), ("%3A", ":"), ("%3A", "%3a"), (":", "%3A")]
        .into_iter()
        .filter(|(from, _)| query.contains(from))
        .map(|(from, to)| {
            let target = format!("{path}?{}", query.replace(from, to));
            (format!("{from} as {to} in the query"), TestRequest { target, ..request.clone() })
        })
        .collect()
}
