//! Request headers, copied into one buffer.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value};

use crate::text;

/// The typical length of a header, for the initial size of the buffer.
const USUAL_LENGTH: usize = 48;

/// Request headers: names in lower case, values as bytes, repetitions included, in the order received.
#[derive(Clone, Default)]
pub struct Headers {
    /// Each name followed by its value.
    bytes: Vec<u8>,
    /// The lengths of each name and value.
    lengths: Vec<(usize, usize)>,
}

/// A header that may be sent once was repeated.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeated;

impl Headers {
    /// The value of a header that may be sent at most once.
    pub fn single(&self, name: &str) -> Result<Option<&[u8]>, Repeated> {
        let mut values = self.iter().filter(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Repeated),
        }
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts().map(|(name, _)| name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(key, _)| key == name.as_bytes())
    }

    /// The headers of these names as a JSON object, for the stored request; the last value of a repeated one.
    pub fn to_json(&self, names: &[&str], more: &[&str]) -> String {
        let selected = |name: &[u8]| names.iter().chain(more).copied().find(|selected| selected.as_bytes() == name);
        let values: BTreeMap<&str, Cow<'_, str>> =
            self.iter().filter_map(|(name, value)| Some((selected(name)?, text::lossy(value)))).collect();
        // Serializing a map of strings cannot fail.
        serde_json::to_string(&values).unwrap_or_default()
    }

    /// The selected headers as received, for a request that may be verified again: a repeated one as a list, a value that is not UTF-8
    /// as null.
    pub fn to_map(&self, is_selected: impl Fn(&str, &[u8]) -> bool) -> Map<String, Value> {
        let mut map = Map::new();
        for (name, value) in self.texts().filter(|(name, value)| is_selected(name, value)) {
            let value = std::str::from_utf8(value).map_or(Value::Null, |text| text::clean(text).into());
            match map.get_mut(name) {
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = vec![first.take(), value].into(),
                None => drop(map.insert(name.to_owned(), value)),
            }
        }
        map
    }

    /// The headers of [`Headers::to_map`]. A null becomes a byte that is not UTF-8.
    pub fn from_map(map: &Map<String, Value>) -> Self {
        let bytes = |value: &Value| value.as_str().map_or_else(|| vec![0xff], |text| text.as_bytes().to_vec());
        let pairs = |(name, value): (&String, &Value)| match value {
            Value::Array(values) => values.iter().map(|value| (name.clone(), bytes(value))).collect::<Vec<_>>(),
            value => vec![(name.clone(), bytes(value))],
        };
        map.iter().flat_map(pairs).collect()
    }

    /// Replaces or adds a header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.texts().filter(|(key, _)| *key != name);
        others.chain([(name, value.as_bytes())]).collect()
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.lengths.iter().map_while(move |&(name, value)| {
            let (name, after) = rest.split_at_checked(name)?;
            let (value, after) = after.split_at_checked(value)?;
            rest = after;
            Some((name, value))
        })
    }

    fn texts(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter().filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let (count, _) = pairs.size_hint();
        let mut headers = Self { bytes: Vec::with_capacity(count * USUAL_LENGTH), lengths: Vec::with_capacity(count) };
        for (name, value) in pairs {
            let (name, value) = (name.as_ref().as_bytes(), value.as_ref());
            headers.bytes.extend(name.iter().map(u8::to_ascii_lowercase));
            headers.bytes.extend_from_slice(value);
            headers.lengths.push((name.len(), value.len()));
        }
        headers
    }
}

crate::secret::opaque!(Headers);
