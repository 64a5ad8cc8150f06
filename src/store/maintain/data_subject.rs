//! A data subject, identified by a phone number, an e-mail address or an id in a messaging service, whose occurrences are found in all common spellings.

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::escapes;
use crate::address;

/// Fewer digits are a short code, which identifies no person.
const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;

/// Maximum number of layers of escapes: a form with JSON that has JSON in a string is three.
const MAX_LAYERS: usize = 6;

/// The person whose data is to be erased.
#[derive(Clone, PartialEq, Eq)]
pub enum DataSubject {
    /// The digits of a phone number, usually with its country code.
    Number(String),
    /// An e-mail address: its lookup key, followed by other notations of it.
    Address(Vec<String>),
    /// An id in a messaging service, as it came: people without a number have one.
    Id(String),
}

impl DataSubject {
    /// Parses a phone number with its country code, an e-mail address, or an id in a messaging service. Anything that could mean two
    /// people is rejected.
    pub fn parse(text: &str) -> Option<Self> {
        let is_address = text.contains(['@', '\u{ff20}']);
        // Words beside an address have no meaning unless they are its name.
        if is_address && text.trim().contains(char::is_whitespace) && !text.contains(['<', '"']) {
            return None;
        }
        let [key] = address::lookup_keys(text).try_into().ok()?;
        if is_address {
            return key.find('@').filter(|at| *at > 0).map(|_| Self::Address(notations(key)));
        }
        let digits = key.trim_start_matches('+');
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len());
        if is_number {
            return Some(Self::Number(digits.to_owned()));
        }
        // Without a prefix only WhatsApp's ids are recognized: a country and a dot. Anything else may be the id of a message.
        let is_whatsapp = matches!(key.as_bytes(), [b'A'..=b'Z', b'A'..=b'Z', b'.', ..]);
        ((is_whatsapp || address::channel(text).is_some()) && is_id(&key)).then_some(Self::Id(key))
    }

    /// Three bytes of a hash: enough to recognize a known person's erasure, and shared by hundreds of others.
    pub(crate) fn short_hash(&self) -> String {
        let text = match self {
            Self::Number(text) | Self::Id(text) => text.as_str(),
            Self::Address(notations) => notations.first().map_or("", String::as_str),
        };
        Sha256::digest(text).iter().take(3).fold("sha256:".to_owned(), |hash, byte| format!("{hash}{byte:02x}"))
    }

    /// Returns true if they occur in a text: literally, percent-encoded, with JSON escapes, or with several layers of these.
    pub fn occurs_in(&self, text: &str) -> bool {
        let mut layer = Cow::Borrowed(text);
        for _ in 0..MAX_LAYERS {
            if self.occurs_literally_in(&layer) {
                return true;
            }
            match escapes::decode(&layer) {
                Some(decoded) => layer = Cow::Owned(decoded),
                None => return false,
            }
        }
        self.occurs_literally_in(&layer)
    }

    pub fn occurs_in_bytes(&self, bytes: &[u8]) -> bool {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.occurs_in(text),
            Err(_) => self.occurs_in(&String::from_utf8_lossy(bytes)) || self.occurs_in(&escapes::latin1(bytes)),
        }
    }

    /// A list of addresses without theirs; `None` if no other is left.
    pub fn remove_from_list(&self, list: &str) -> Option<String> {
        let others: Vec<&str> = address::segments(list).map(str::trim).filter(|one| !self.occurs_in(one)).collect();
        let others = others.join(", ");
        // A notation that spans separators is in no part of the list.
        (others.contains(|c: char| c != ',' && !c.is_whitespace()) && !self.occurs_in(&others)).then_some(others)
    }

    /// A JSON value without the members that mention them; `None` if the value itself does.
    pub fn remove_from(&self, value: Value) -> Option<Value> {
        match value {
            Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(|item| self.remove_from(item)).collect())),
            Value::Object(fields) => {
                let others = fields.into_iter().filter(|(name, _)| !self.occurs_in(name));
                let fields = others.filter_map(|(name, value)| self.remove_from(value).map(|value| (name, value)));
                Some(Value::Object(fields.collect()))
            }
            Value::String(text) if self.occurs_in(&text) => self.remove_from_list(&text).map(Value::String),
            Value::Number(number) if self.occurs_in(&number.to_string()) => None,
            value => Some(value),
        }
    }

    fn occurs_literally_in(&self, text: &str) -> bool {
        match self {
            Self::Id(id) => contains_id(text, id),
            Self::Number(digits) => contains_number_in_any_notation(&address::plain_digits(text), digits),
            Self::Address(notations) => {
                let folded = address::fold(text);
                notations.iter().any(|address| address::is_contained(&folded, address))
            }
        }
    }
}

/// Returns true for an id such as `US.13491208655302741918`. A name has fewer digits, and is in the data of others.
fn is_id(text: &str) -> bool {
    const MIN_ID_DIGITS: usize = 8;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.bytes().filter(u8::is_ascii_digit).count() >= MIN_ID_DIGITS && text.bytes().all(is_allowed)
}

/// Returns true if a text contains the id, not as part of a longer one.
fn contains_id(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + id.len()..).unwrap_or_default());
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

/// An address with its domain in ASCII and in Unicode, and each with needless quotes.
fn notations(key: String) -> Vec<String> {
    let unicode = address::unicode_form(&key);
    let mut notations: Vec<String> = std::iter::once(key).chain(unicode).collect();
    let quote = |one: &String| {
        one.rsplit_once('@').filter(|(local, _)| !local.starts_with('"')).map(|(local, domain)| format!("\"{local}\"@{domain}"))
    };
    notations.extend(notations.clone().iter().filter_map(quote));
    notations
}

fn contains_number_in_any_notation(text: &str, digits: &str) -> bool {
    contains_number(text, digits)
        || {
            let compact = compact(text);
            compact.len() < text.len() && contains_number(&compact, digits)
        }
        || text.contains("(0)") && contains_number(&compact(&text.replace("(0)", "")), digits)
}

/// The text without punctuation of numbers. In a form a `+` between two digits is a blank.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut previous = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_blank = c == '+'
            && previous.is_some_and(|c: char| c.is_ascii_digit() || c == ')')
            && rest.peek().is_some_and(|c| c.is_ascii_digit() || *c == '(');
        if !is_blank && !" ().-/".contains(c) {
            compact.push(c);
        }
        previous = Some(c);
    }
    compact
}

/// Returns true if a text contains the digits, not as part of a longer number. Two zeros before them may replace the plus.
fn contains_number(text: &str, digits: &str) -> bool {
    text.match_indices(digits).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + digits.len()..).unwrap_or_default());
        let before = before.strip_suffix("00").unwrap_or(before);
        !before.ends_with(|c: char| c.is_ascii_digit()) && !after.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(text: &str) -> DataSubject {
        DataSubject::parse(text).unwrap()
    }

    #[test]
    fn number_is_found_in_every_spelling_and_in_no_longer_number() {
        let ada = person("+1 (555) 867-5310");
        for text in [
            "+15558675310",
            "15558675310",
            "To=%2B15558675310&x",
            "a=%2015558675310",
            "whatsapp:+15558675310",
            "0015558675310",
            "\"\\u002b15558675310\"",
            "call +1 555 867 5310 now",
            "+1-555-867-5310",
            "To=+1+(555)+867-5310&n=1",
            "a=+15558675310+16668675310",
            "+1 555 867 5310++1 666 867 5310",
            "+１５５５８６７５３１０",
            "+1\u{a0}555\u{2011}867\u{2013}5310",
            "{\"to\":\"\\uff0b15558675310\"}",
        ] {
            assert!(ada.occurs_in(text), "{text}");
        }
        for text in ["+155586753101", "215558675310", "5558675310", "1555867531", ""] {
            assert!(!ada.occurs_in(text), "{text}");
        }
    }

    #[test]
    fn address_is_found_in_every_spelling_and_in_no_longer_one() {
        let ada = person("Ada <Ada@Dest.Example>");
        for text in [
            "ada@dest.example",
            "Ada@DEST.example.",
            "to=ada%40dest.example",
            "\\u003cada@dest.example\\u003e",
            "x, ada@dest.example, y",
            "'ada@dest.example'",
            "to=Ada+Lovelace+%3Cada%40dest.example%3E",
            "\"ada\"@dest.example",
            "{\\\"to\\\":\\\"\\\\u0061da@dest.example\\\"}",
            "to=Ada+ada%40dest.example",
        ] {
            assert!(ada.occurs_in(text), "{text}");
        }
        for text in [
            "nada@dest.example",
            "x.ada@dest.example",
            "ada@dest.example.org",
            "ada@dest.examples",
            "ada",
            "o'ada@dest.example",
            "to=x%2Bada%40dest.example",
            "x+ada@dest.example",
            "ada@dest.example_x",
        ] {
            assert!(!ada.occurs_in(text), "{text}");
        }
    }

    #[test]
    fn id_is_found_and_no_longer_one() {
        let ada = person("whatsapp:US.13491208655302741918");
        for text in
            ["US.13491208655302741918", "From=whatsapp%3AUS.13491208655302741918&x", "{\"user_id\":\"US.13491208655302741918\"}"]
        {
            assert!(ada.occurs_in(text), "{text}");
        }
        for text in ["US.134912086553027419180", "AUS.13491208655302741918", "13491208655302741918"] {
            assert!(!ada.occurs_in(text), "{text}");
        }
        assert!(person("messenger:1234567890123456").occurs_in("{\"id\":1234567890123456}"));
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            "",
            "12345",
            "ACME",
            "@",
            "a@",
            "@b",
            "1234567890123456",
            "a b@c d",
            "a@b, c@d",
            "delivered",
            "SM0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "rcs:acme_agent",
        ] {
            assert!(DataSubject::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_mentions_are_removed() {
        let ada = person("ada@dest.example");
        let value = json!({"recipient": "ada@dest.example, bob@dest.example", "sender": "hello@acme.example", "more": {"to": ["ada@dest.example"], "n": 1}});
        let expected = json!({"recipient": "bob@dest.example", "sender": "hello@acme.example", "more": {"to": [], "n": 1}});
        assert_eq!(ada.remove_from(value), Some(expected));
    }
}
