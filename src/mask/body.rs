//! Secrets and signatures in a body. The body of a rejected request may have arrived with another content type than it was sent with, so
//! its bytes decide how it is read. All other bytes stay as they are.

use std::{borrow::Cow, ops::Range};

use serde::de::IgnoredAny;

use super::{
    MASK,
    names::{is_jwt, is_secret_member},
};
use crate::form::Form;

/// The mask of a number or a word in JSON.
const QUOTED_MASK: &str = "\"***\"";

/// The body of a request as it is shown.
pub fn body(bytes: &[u8]) -> Cow<'_, [u8]> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = first.is_some_and(|first| b"{[".contains(first));
    let mut found = if is_json { json_values(bytes) } else { Vec::new() };
    if !is_json || serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
        found.extend(form_values(bytes).into_iter().map(unquoted));
        if !is_plain_form(bytes) {
            found.extend(text_values(bytes).into_iter().map(unquoted));
        }
    }
    if found.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(replaced(bytes, found)) }
}

/// A place in a body, and what is shown there.
type Masked = (Range<usize>, &'static str);

fn unquoted(range: Range<usize>) -> Masked {
    (range, MASK)
}

/// Replaces ranges, which may overlap, by their masks.
fn replaced(bytes: &[u8], mut ranges: Vec<Masked>) -> Vec<u8> {
    ranges.sort_by_key(|(range, _)| range.start);
    let (mut masked, mut end) = (Vec::with_capacity(bytes.len()), 0);
    for (range, mask) in ranges {
        if range.start >= end {
            masked.extend_from_slice(bytes.get(end..range.start).unwrap_or_default());
            masked.extend_from_slice(mask.as_bytes());
        }
        end = end.max(range.end);
    }
    masked.extend_from_slice(bytes.get(end..).unwrap_or_default());
    masked
}

/// The values of a form.
fn form_values(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut values = Vec::new();
    for pair in bytes.split(|byte| *byte == b'&') {
        if let Some(equals) = pair.iter().position(|byte| *byte == b'=') {
            let is_secret =
                Form::decode(pair).is_some_and(|form| form.pairs().any(|(name, value)| is_secret_member(name) || is_jwt(value)));
            if is_secret && equals + 1 < pair.len() {
                values.push(start + equals + 1..start + pair.len());
            }
        }
        start += pair.len() + 1;
    }
    values
}

/// The values of members in JSON at any depth, also of JSON that is not valid.
fn json_values(bytes: &[u8]) -> Vec<Masked> {
    let mut values = Vec::new();
    let mut at = 0;
    let mut is_secret = false;
    while let Some(&byte) = bytes.get(at) {
        let is_string = byte == b'"';
        if !is_string && !is_word(byte) {
            // The value of a name follows its colon; a list or an object has values of its own.
            is_secret &= byte == b':' || byte.is_ascii_whitespace();
            at += 1;
            continue;
        }
        let (inner, end) = if is_string { string(bytes, at) } else { (at..word_end(bytes, at), word_end(bytes, at)) };
        let rest = bytes.get(end..).unwrap_or_default();
        if is_string && rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
            is_secret = is_secret_member(&decoded(bytes.get(at..end).unwrap_or_default()));
        } else {
            if is_secret || is_jwt(bytes.get(inner.clone()).unwrap_or_default()) {
                values.push((inner, if is_string { MASK } else { QUOTED_MASK }));
            }
            is_secret = false;
        }
        at = end;
    }
    values
}

/// The name in a JSON string, or its bytes if it is not valid.
fn decoded(string: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<String>(string).map_or_else(|_| string.to_vec(), String::into_bytes)
}

/// The text of the string that begins at a quote, and its end. The end may be missing.
fn string(bytes: &[u8], start: usize) -> (Range<usize>, usize) {
    let mut is_escaped = false;
    let rest = bytes.get(start + 1..).unwrap_or_default();
    let closing = rest.iter().position(|&byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    });
    let end = closing.map_or(bytes.len(), |length| start + 1 + length);
    (start + 1..end, bytes.len().min(end + 1))
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().position(|byte| !is_word(*byte)).map_or(bytes.len(), |length| start + length)
}

/// True for a form as it is sent, in which every value has its name before it.
fn is_plain_form(bytes: &[u8]) -> bool {
    bytes.contains(&b'=') && !bytes.iter().any(|byte| byte.is_ascii_whitespace() || b"<\"".contains(byte))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.+%".contains(&byte)
}

/// The words after the name of a secret in any other text, such as a form in several parts: a name, a few other characters, a long word.
fn text_values(bytes: &[u8]) -> Vec<Range<usize>> {
    const MAX_BETWEEN: usize = 8;
    const MIN_VALUE: usize = 8;
    let mut values = Vec::new();
    let (mut at, mut after_name) = (0, None);
    while at < bytes.len() {
        let end = word_end(bytes, at);
        let word = bytes.get(at..end).unwrap_or_default();
        if word.is_empty() {
            at += 1;
            continue;
        }
        let is_value = after_name.is_some_and(|name_end: usize| at - name_end <= MAX_BETWEEN) && word.len() >= MIN_VALUE;
        if is_value || is_jwt(word) {
            values.push(at..end);
        }
        after_name = is_secret_member(word).then_some(end);
        at = end;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        String::from_utf8(body(text.as_bytes()).into_owned()).expect("UTF-8")
    }

    #[test]
    fn signatures_are_masked_and_all_else_is_unchanged() {
        for (sent, expected) in [
            ("", ""),
            ("a=1&sig=abc&b=2", "a=1&sig=***&b=2"),
            ("a=1&%73ig=abc", "a=1&%73ig=***"),
            ("sig=&text=sig%3Dabc", "sig=&text=sig%3Dabc"),
            (r#"{"a":1.50, "sig" : "ab\"c", "b":"x&sig=y"}"#, r#"{"a":1.50, "sig" : "***", "b":"x&sig=y"}"#),
            (r#"{"\u0073ig":"abc","c":null}"#, r#"{"\u0073ig":"***","c":null}"#),
            (r#"{"sig":123,"x":{"token":true,"key":"shown"}}"#, r#"{"sig":"***","x":{"token":"***","key":"shown"}}"#),
            (r#"{"auth":{"user":"shown"},"text":"token"}"#, r#"{"auth":{"user":"shown"},"text":"token"}"#),
            (r#"[{"sig":"abc"},"eyJhbGciOiJIUzI1NiJ9.e30.c2ln"]"#, r#"[{"sig":"***"},"***"]"#),
            (r#"{"a":1,"sig":"0123456789abcdef"#, r#"{"a":1,"sig":"***"#),
            ("a=1\r\nsig=0123456789abcdef\r\n", "a=1\r\nsig=***\r\n"),
            ("name=\"sig\"\r\n\r\n0123456789abcdef\r\n--x", "name=\"sig\"\r\n\r\n***\r\n--x"),
            ("<sig>0123456789abcdef</sig>", "<sig>***</sig>"),
            ("grüß=1", "grüß=1"),
        ] {
            assert_eq!(shown(sent), expected, "{sent}");
        }
    }
}
