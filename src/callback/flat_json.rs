//! A flat JSON object with its values as they are written, because that is how they are signed.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object, repeated names included.
pub(crate) struct Members<'b>(pub(crate) Vec<(String, &'b RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// A value that is neither an object nor a list.
pub(crate) enum Scalar<'b> {
    /// Copied only if it has escapes.
    Text(Cow<'b, str>),
    /// A number, `true` or `false`, as written.
    Literal(&'b str),
    Null,
}

impl<'b> Scalar<'b> {
    /// `None` for an object, a list, or text that is not valid.
    pub(crate) fn parse(value: &'b RawValue) -> Option<Self> {
        let json = value.get();
        match json.as_bytes().first()? {
            b'"' => {
                let borrowed = serde_json::from_str(json).map(Cow::Borrowed);
                borrowed.or_else(|_| serde_json::from_str(json).map(Cow::Owned)).ok().map(Self::Text)
            }
            b'{' | b'[' => None,
            b'n' => Some(Self::Null),
            _ => Some(Self::Literal(json)),
        }
    }

    /// The text that is signed: of a number its digits as written, of null none.
    pub(crate) fn into_text(self) -> Option<Cow<'b, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Literal(json) => Some(Cow::Borrowed(json)),
            Self::Null => None,
        }
    }
}
