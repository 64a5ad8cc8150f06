//! `application/x-www-form-urlencoded`, decoded to bytes once, so that verifier and parser use the same pairs.

use std::borrow::Cow;

use memchr::memchr2;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::text;

pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// More fields than any provider sends; a body with more is not a form.
const MAX_FIELDS: usize = 2_000;

/// The typical number of fields, for the initial capacity.
const USUAL_FIELDS: usize = 16;

/// The decoded pairs of a form, all of them and in the order received: unknown names, empty values and blanks are signed too.
#[derive(Default)]
pub struct Form<'b>(Vec<Pair<'b>>);

/// A name and its value.
pub type Pair<'b> = (Cow<'b, [u8]>, Cow<'b, [u8]>);

impl<'b> Form<'b> {
    /// Decodes `+` and `%XX`. `None` if there are more than 2,000 fields.
    pub fn decode(body: &'b [u8]) -> Option<Self> {
        let mut pairs = Vec::with_capacity(if body.is_empty() { 0 } else { USUAL_FIELDS });
        for field in body.split(|&byte| byte == b'&').filter(|field| !field.is_empty()) {
            if pairs.len() == MAX_FIELDS {
                return None;
            }
            let mut halves = field.splitn(2, |&byte| byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            pairs.push((decode_component(name), decode_component(value)));
        }
        Some(Self(pairs))
    }

    /// A form of decoded pairs.
    pub fn from_pairs(pairs: impl IntoIterator<Item = Pair<'b>>) -> Self {
        Self(pairs.into_iter().collect())
    }

    pub fn into_pairs(self) -> impl Iterator<Item = Pair<'b>> {
        self.0.into_iter()
    }

    /// The scalar members of a JSON object, for senders that use the same fields in both forms. Null counts as missing.
    pub fn from_members(object: &'b Map<String, Value>) -> Self {
        let text = |value: &'b Value| match value {
            Value::String(text) => Some(Cow::Borrowed(text.as_bytes())),
            Value::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            Value::Bool(truth) => Some(Cow::Owned(truth.to_string().into_bytes())),
            _ => None,
        };
        let pair = |(name, value): (&'b String, &'b Value)| Some((Cow::Borrowed(name.as_bytes()), text(value)?));
        Self(object.iter().filter_map(pair).collect())
    }

    /// The pairs whose value is not blank, and those of one name whatever their value.
    #[must_use]
    pub fn without_blanks(mut self, except: &str) -> Self {
        self.0.retain(|(name, value)| !value.trim_ascii().is_empty() || name.as_ref() == except.as_bytes());
        self
    }

    /// The same pairs, borrowed.
    pub fn borrowed(&self) -> Form<'_> {
        Form(self.pairs().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect())
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first value of that name as text, if present and not empty. Bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.value(name).filter(|value| !value.is_empty())?;
        Some(std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed))
    }

    /// The same as an owned string that every database accepts.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.text(name).and_then(|value| text::present(&value))
    }

    /// Returns true if parameters of that name have different values. Their order is not signed.
    pub fn is_ambiguous(&self, name: &str) -> bool {
        let mut values = self.pairs().filter(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Returns true if a parameter of that name is present, even with an empty value.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        self.pairs().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }
}

fn decode_component(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'+', b'%', raw).is_none() {
        Cow::Borrowed(raw)
    } else if raw.contains(&b'+') {
        let blanks: Vec<u8> = raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        Cow::Owned(percent_decode(&blanks).collect())
    } else {
        percent_decode(raw).into()
    }
}

crate::secret::opaque!(Form<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_retains_every_pair_and_byte() {
        let form = Form::decode(b"a=1&&b=+x+&c=&=v&d&a=%FF%00=&e=%zz").expect("few fields");
        let pairs: Vec<_> = form.pairs().collect();
        let expected: [(&[u8], &[u8]); 7] =
            [(b"a", b"1"), (b"b", b" x "), (b"c", b""), (b"", b"v"), (b"d", b""), (b"a", b"\xff\0="), (b"e", b"%zz")];
        assert_eq!(pairs, expected);
        assert_eq!(form.text("c"), None);
        assert!(form.has("c"));
        assert!(form.is_ambiguous("a") && !form.is_ambiguous("b"));
    }

    #[test]
    fn fields_are_bounded() {
        assert!(Form::decode("a=1&".repeat(2_000).as_bytes()).is_some());
        assert!(Form::decode("a=1&".repeat(2_001).as_bytes()).is_none());
    }
}
