//! `application/x-www-form-urlencoded`, decoded to bytes once: the verifier and the normalizer read the same pairs.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::text;

/// The media type of a form.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// More fields than any provider sends; beyond it a body is not a form.
const MAX_FIELDS: usize = 2_000;

/// The decoded pairs of a form, in the order received, nothing dropped: unknown names, empty values and blanks are signed too.
#[derive(Debug)]
pub struct Form<'b>(Vec<Pair<'b>>);

type Pair<'b> = (Cow<'b, [u8]>, Cow<'b, [u8]>);

impl<'b> Form<'b> {
    /// Decodes `+` and `%XX`. `None` if there are more than 2,000 fields.
    pub fn decode(body: &'b [u8]) -> Option<Self> {
        let mut pairs = Vec::new();
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

    /// The scalar members of a JSON object, for senders that write the same fields either way. Null counts as left out.
    pub fn of_members(object: &serde_json::Map<String, serde_json::Value>) -> Form<'static> {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        };
        let pair = |(name, value): (&String, &serde_json::Value)| {
            Some((Cow::Owned(name.clone().into_bytes()), Cow::Owned(text(value)?.into_bytes())))
        };
        Form(object.iter().filter_map(pair).collect())
    }

    /// The pairs whose value is more than blanks, and those of that name whatever their value.
    #[must_use]
    pub fn without_blanks(self, but: &str) -> Self {
        let is_kept = |(name, value): &Pair<'_>| !value.trim_ascii().is_empty() || name.as_ref() == but.as_bytes();
        Self(self.0.into_iter().filter(is_kept).collect())
    }

    /// All pairs in the order received.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first value of that name, as text, if it is there and not empty. Bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).filter(|value| !value.is_empty()).map(String::from_utf8_lossy)
    }

    /// The same as a value of its own, fit for every database.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.text(name).and_then(|value| text::present(&value))
    }

    /// Whether parameters of that name have different values. Which of them comes first is not signed.
    pub fn is_ambiguous(&self, name: &str) -> bool {
        let mut values = self.pairs().filter(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Whether a parameter of that name is there, even with an empty value.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        self.pairs().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }
}

fn decode_component(raw: &[u8]) -> Cow<'_, [u8]> {
    if raw.contains(&b'+') {
        let blanks: Vec<u8> = raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        Cow::Owned(percent_decode(&blanks).collect())
    } else {
        percent_decode(raw).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_dropped_and_bytes_stay_bytes() {
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
