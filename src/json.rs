//! JSON from providers. Text with an invalid character is accepted, because it may be a delivery receipt.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use crate::time::Timestamp;

/// A body cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not JSON, or nested deeper than 128 levels.
    NotJson,
    /// An object has a key twice with different values, of which signer and parser may use different ones.
    Ambiguous,
}

/// Parses a JSON text. Bytes that are not UTF-8 and escapes of lone surrogates become U+FFFD; the raw body retains them.
pub fn parse(body: &[u8]) -> Result<Value, JsonError> {
    let ambiguous = Cell::new(false);
    let parse = |text: &[u8]| {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = ValueSeed { ambiguous: &ambiguous }.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok().map(|()| value)
    };
    let value = parse(body)
        .or_else(|| parse(replace_lone_surrogates(&String::from_utf8_lossy(body)).as_bytes()))
        .ok_or(JsonError::NotJson)?;
    if ambiguous.get() { Err(JsonError::Ambiguous) } else { Ok(value) }
}

/// Builds a [`Value`] and detects a key with two values, of which serde's own deserializer silently takes the last.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    ambiguous: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(self)?;
            if name == NUMBER
                && let Some(number) = value.as_str().and_then(|text| text.parse::<Number>().ok())
            {
                return Ok(Value::Number(number));
            }
            match fields.entry(name) {
                Entry::Vacant(field) => drop(field.insert(value)),
                Entry::Occupied(mut field) => {
                    if *field.get() != value {
                        self.ambiguous.set(true);
                    }
                    field.insert(value);
                }
            }
        }
        Ok(Value::Object(fields))
    }
}

/// The key under which serde passes a number with its digits as written, because money is decimal text. An object with this key counts
/// as that number.
const NUMBER: &str = "$serde_json::private::Number";

/// The value at a JSON pointer. serde's own lookup copies each name.
pub fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    if pointer.contains('~') {
        return value.pointer(pointer);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(_) => value.pointer(&format!("/{name}")),
        _ => None,
    })
}

/// The text, or the digits of the number, at a JSON pointer.
pub fn scalar(value: &Value, pointer: &str) -> Option<String> {
    match at(value, pointer)? {
        Value::String(text) => crate::text::present(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The amount, as text or number, at a JSON pointer.
pub fn decimal(value: &Value, pointer: &str) -> Option<String> {
    match at(value, pointer)? {
        Value::String(text) => crate::text::decimal(text),
        Value::Number(number) => crate::text::decimal(&number.to_string()),
        _ => None,
    }
}

/// The instant at a JSON pointer: text, or seconds since 1970 with or without a fraction.
pub fn instant(value: &Value, pointer: &str) -> Option<Timestamp> {
    match at(value, pointer)? {
        Value::String(text) => Timestamp::parse(text),
        Value::Number(number) => Timestamp::from_decimal_seconds(&crate::text::decimal(&number.to_string())?),
        _ => None,
    }
}

/// The text at a JSON pointer, if present and not empty.
pub fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    at(value, pointer)?.as_str().filter(|text| !text.is_empty())
}

/// Replaces escapes of lone surrogates by U+FFFD.
fn replace_lone_surrogates(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        replaced.push_str(before);
        let (written, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (escape.get(..12), 12),
            (Some(0xD800..=0xDFFF), _) => (Some("\\uFFFD"), 6),
            // Any other escape: the backslash and the escaped character, which may be a backslash.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (escape.get(..length), length)
            }
        };
        replaced.push_str(written.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    replaced + rest
}

/// The UTF-16 unit of an escape `\uXXXX` at the start.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(json: &str) -> Option<String> {
        parse(json.as_bytes()).ok()?.as_str().map(str::to_owned)
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        assert_eq!(string(r#""a\ud800b""#).as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(string(r#""\udc00\ud83d\ude00\ud83d""#).as_deref(), Some("\u{FFFD}😀\u{FFFD}"));
        assert_eq!(string(r#""\ud800\u0041\\ud800""#).as_deref(), Some("\u{FFFD}A\\ud800"));
    }

    #[test]
    fn other_text_is_unchanged_and_other_errors_remain() {
        assert_eq!(string(r#""\ud83d\ude00 \n é""#).as_deref(), Some("😀 \n é"));
        assert_eq!(parse(b"\"\xFF\""), Ok("\u{FFFD}".into()));
        for broken in ["", "{", "\"\\", "\"\\u12", "\"\\uD8", "\\"] {
            assert_eq!(parse(broken.as_bytes()), Err(JsonError::NotJson), "{broken}");
        }
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::NotJson));
    }

    #[test]
    fn at_finds_the_same_value_as_serde() {
        let value = serde_json::json!({ "a": { "b": [1, { "c": 2 }], "": 3, "d/e": 4 }, "": { "": 5 } });
        for pointer in ["/a/b/1/c", "/a/b/0", "/a/b/01", "/a/b/-", "/a/", "//", "/a/d~1e", "/a/x", "/a/b/c", "a", "/"] {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer}");
        }
    }

    #[test]
    fn key_with_two_values_is_ambiguous_at_any_depth() {
        for ambiguous in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":[],"a":{}}}]"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":1,"a":"\ud800"}"#] {
            assert_eq!(parse(ambiguous.as_bytes()), Err(JsonError::Ambiguous), "{ambiguous}");
        }
        assert_eq!(
            parse(br#"{"a":[1,null,-2.5,true],"a":[1,null,-2.5,true]}"#),
            Ok(serde_json::json!({ "a": [1, null, -2.5, true] }))
        );
    }
}
