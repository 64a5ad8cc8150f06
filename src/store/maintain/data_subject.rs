//! A data subject, identified by a phone number or an e-mail address, whose occurrences are found in all common spellings.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::address;

/// Fewer digits are a short code, which identifies no person.
const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;

/// The person whose data is to be erased.
#[derive(Clone, PartialEq, Eq)]
pub enum DataSubject {
    /// The digits of a phone number with its country code.
    Number(String),
    /// An e-mail address in lower case.
    Address(String),
}

impl DataSubject {
    /// Parses a phone number with its country code, or an e-mail address.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('@') {
            let address = address::email(text)?.to_lowercase();
            let (local, domain) = address.rsplit_once('@')?;
            let is_whole = !local.is_empty() && !domain.is_empty() && !address.contains(char::is_whitespace);
            return is_whole.then_some(Self::Address(address));
        }
        let is_number = text.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("00").map_or(digits.clone(), str::to_owned);
        (is_number && (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())).then_some(Self::Number(digits))
    }

    /// Three bytes of a hash: enough to recognize a known person's erasure, and shared by hundreds of others.
    pub(crate) fn short_hash(&self) -> String {
        let (Self::Number(text) | Self::Address(text)) = self;
        Sha256::digest(text).iter().take(3).fold("sha256:".to_owned(), |hash, byte| format!("{hash}{byte:02x}"))
    }

    /// Returns true if they occur in a text: literally, percent-encoded, or with JSON escapes.
    pub fn occurs_in(&self, text: &str) -> bool {
        self.occurs_literally_in(text)
            || (text.contains('%') && self.occurs_literally_in(&percent_decode_str(text).decode_utf8_lossy()))
            || (text.contains("\\u") && self.occurs_literally_in(&unescape(text)))
    }

    pub fn occurs_in_bytes(&self, bytes: &[u8]) -> bool {
        self.occurs_in(&String::from_utf8_lossy(bytes))
    }

    /// A list of addresses without theirs; `None` if no other is left.
    pub fn remove_from_list(&self, list: &str) -> Option<String> {
        let others: Vec<&str> = list.split(", ").filter(|one| !self.occurs_in(one)).collect();
        (!others.is_empty()).then(|| others.join(", "))
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
            Self::Number(digits) => {
                contains_number(text, digits) || {
                    let compact: String = text.chars().filter(|c| !" ().-".contains(*c)).collect();
                    compact.len() < text.len() && contains_number(&compact, digits)
                }
            }
            Self::Address(address) => contains_address(&text.to_lowercase(), address),
        }
    }
}

/// Returns true if a text contains the digits, not as part of a longer number. Two zeros before them may replace the plus.
fn contains_number(text: &str, digits: &str) -> bool {
    text.match_indices(digits).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + digits.len()..).unwrap_or_default());
        let before = before.strip_suffix("00").unwrap_or(before);
        !before.ends_with(|c: char| c.is_ascii_digit()) && !after.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Returns true if a text contains the address, not as part of a longer one.
fn contains_address(text: &str, address: &str) -> bool {
    let is_local = |c: char| c.is_alphanumeric() || "._+-".contains(c);
    text.match_indices(address).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + address.len()..).unwrap_or_default());
        let mut following = after.chars();
        let goes_on = match following.next() {
            Some('.') => following.next().is_some_and(char::is_alphanumeric),
            Some(c) => c.is_alphanumeric() || c == '-',
            None => false,
        };
        !before.ends_with(is_local) && !goes_on
    })
}

/// Decodes JSON's `\u` escapes of ASCII characters.
fn unescape(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..4).and_then(|code| u8::from_str_radix(code, 16).ok()).filter(u8::is_ascii);
        if let (Some(code), Some(rest)) = (code, part.get(4..)) {
            out.push(char::from(code));
            out.push_str(rest);
        } else {
            out.push_str("\\u");
            out.push_str(part);
        }
    }
    out
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
        ] {
            assert!(ada.occurs_in(text), "{text}");
        }
        for text in ["nada@dest.example", "x.ada@dest.example", "ada@dest.example.org", "ada@dest.examples", "ada"] {
            assert!(!ada.occurs_in(text), "{text}");
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in ["", "12345", "ACME", "@", "a@", "@b", "1234567890123456", "a b@c d"] {
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
