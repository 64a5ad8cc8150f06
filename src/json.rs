//! JSON from providers: text that a strict reader refuses for one bad character is still somebody's delivery receipt.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::time::Timestamp;

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no JSON, or is nested deeper than 128 levels.
    NotJson,
    /// An object has a key twice with different values: signer and reader may have taken different ones.
    Ambiguous,
}

/// Reads a JSON text. Bytes that are no UTF-8 and escapes that are half a surrogate pair become U+FFFD; the raw body
/// keeps them.
pub fn read(body: &[u8]) -> Result<Value, Unreadable> {
    let ambiguous = Cell::new(false);
    let read = |text: &[u8]| {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = Reading { ambiguous: &ambiguous }.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok().map(|()| value)
    };
    let value = read(body).or_else(|| read(mend(&String::from_utf8_lossy(body)).as_bytes())).ok_or(Unreadable::NotJson)?;
    if ambiguous.get() { Err(Unreadable::Ambiguous) } else { Ok(value) }
}

/// Builds a [`Value`] and notes a key with two values, of which serde's own reader silently takes the last.
#[derive(Clone, Copy)]
struct Reading<'a> {
    ambiguous: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
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
            if let (NUMBER, Some(number)) = (name.as_str(), value.as_str().and_then(|text| text.parse::<Number>().ok())) {
                return Ok(Value::Number(number));
            }
            if fields.get(&name).is_some_and(|first| *first != value) {
                self.ambiguous.set(true);
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

/// The key under which serde hands on a number with its digits as they were written, because money is decimal text. An object
/// that is written with it counts as that number.
const NUMBER: &str = "$serde_json::private::Number";

/// The text or the number's digits at a JSON pointer, if there is one.
pub fn scalar(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => crate::text::present(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The instant at a JSON pointer: a text, or seconds since 1970 with or without a fraction.
pub fn instant(value: &Value, pointer: &str) -> Option<Timestamp> {
    match value.pointer(pointer)? {
        Value::String(text) => Timestamp::parse(text),
        Value::Number(number) => Timestamp::from_decimal_seconds(&number.to_string()),
        _ => None,
    }
}

/// The text at a JSON pointer, if it is there and not empty.
pub fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// Replaces escapes that are half a surrogate pair.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (written, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (escape.get(..12), 12),
            (Some(0xD800..=0xDFFF), _) => (Some("\\uFFFD"), 6),
            // Any other escape: the backslash and what it escapes, which may be a backslash.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (escape.get(..length), length)
            }
        };
        mended.push_str(written.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    mended + rest
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
        read(json.as_bytes()).ok()?.as_str().map(str::to_owned)
    }

    #[test]
    fn half_a_pair_becomes_the_replacement_character() {
        assert_eq!(string(r#""a\ud800b""#).as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(string(r#""\udc00\ud83d\ude00\ud83d""#).as_deref(), Some("\u{FFFD}😀\u{FFFD}"));
        assert_eq!(string(r#""\ud800\u0041\\ud800""#).as_deref(), Some("\u{FFFD}A\\ud800"));
    }

    #[test]
    fn other_text_is_untouched_and_other_errors_stay() {
        assert_eq!(string(r#""\ud83d\ude00 \n é""#).as_deref(), Some("😀 \n é"));
        assert_eq!(read(b"\"\xFF\""), Ok("\u{FFFD}".into()));
        for broken in ["", "{", "\"\\", "\"\\u12", "\"\\uD8", "\\"] {
            assert_eq!(read(broken.as_bytes()), Err(Unreadable::NotJson), "{broken}");
        }
        assert_eq!(read("[".repeat(100_000).as_bytes()), Err(Unreadable::NotJson));
    }

    #[test]
    fn a_key_with_two_values_is_ambiguous_wherever_it_stands() {
        for ambiguous in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":[],"a":{}}}]"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":1,"a":"\ud800"}"#] {
            assert_eq!(read(ambiguous.as_bytes()), Err(Unreadable::Ambiguous), "{ambiguous}");
        }
        assert_eq!(
            read(br#"{"a":[1,null,-2.5,true],"a":[1,null,-2.5,true]}"#),
            Ok(serde_json::json!({ "a": [1, null, -2.5, true] }))
        );
    }
}
