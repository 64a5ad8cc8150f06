//! The parameters of a request that carries its signature among them: of a query, a form, or a flat JSON object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Outgoing, Rejected};
use crate::{
    callback::{Callback, Payload},
    form::Form,
};

/// The parameter that holds the signature.
const SIGNATURE: &[u8] = b"sig";

/// A name and its decoded value; a JSON null has none.
type Pair = (Vec<u8>, Option<Vec<u8>>);

/// Parameters in byte order of their names, as they are signed.
pub(super) struct Parameters {
    pairs: Vec<Pair>,
    /// The signature's hex digits, decoded.
    pub(super) signature: Vec<u8>,
}

/// What becomes of values that are blank or null, on which the vendor's libraries disagree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// Blank ones are signed, null ones are not.
    Kept,
    /// Neither is signed.
    Skipped,
    /// Both are signed as empty.
    NullAsEmpty,
}

impl Parameters {
    /// Takes the signature out of the parameters. A name with a delimiter in it could be cut anew, and of two values of one name
    /// nothing says which is meant: neither is ever sent.
    pub(super) fn of(callback: &Callback) -> Result<Self, Rejected> {
        let mut pairs = read(callback)?;
        pairs.sort();
        let is_plain = |name: &[u8]| !name.is_empty() && !name.iter().any(|byte| b"&=".contains(byte));
        if !pairs.iter().all(|(name, _)| is_plain(name)) {
            return Err(Rejected::Shape);
        }
        if pairs.windows(2).any(|two| matches!(two, [(one, _), (other, _)] if one == other)) {
            return Err(Rejected::Repeated);
        }
        let place = pairs.iter().position(|(name, _)| name == SIGNATURE).ok_or(Rejected::Missing)?;
        let (_, signature) = pairs.remove(place);
        let signature = hex::decode(signature.unwrap_or_default()).map_err(|_| Rejected::Malformed)?;
        Ok(Self { pairs, signature })
    }

    /// Whether all names are of letters, digits, `-` and `_`.
    pub(super) fn are_plain(&self) -> bool {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        self.pairs.iter().all(|(name, _)| name.iter().all(is_plain))
    }

    /// Whether the request carries a signature among its parameters.
    pub(super) fn are_signed(callback: &Callback) -> bool {
        read(callback).is_ok_and(|pairs| pairs.iter().any(|(name, _)| name == SIGNATURE))
    }

    /// The value of that name, as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(key, _)| key == name.as_bytes())?;
        std::str::from_utf8(value.as_deref()?).ok()
    }

    /// The pairs that are signed under that reading.
    pub(super) fn signed(&self, blanks: Blanks) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().filter_map(move |(name, value)| {
            let is_blank = value.as_ref().is_none_or(|value| value.trim_ascii().is_empty());
            match (blanks, value) {
                (Blanks::Kept, None) => None,
                (Blanks::Skipped, _) if is_blank => None,
                (_, value) => Some((name.as_slice(), value.as_deref().unwrap_or_default())),
            }
        })
    }
}

fn read(callback: &Callback) -> Result<Vec<Pair>, Rejected> {
    match callback.payload() {
        Payload::Form(form) => Ok(form.pairs().map(|(name, value)| (name.to_vec(), Some(value.to_vec()))).collect()),
        Payload::Document(body) => {
            let Members(members) = serde_json::from_slice(body).map_err(|_| Rejected::Malformed)?;
            members.into_iter().map(|(name, value)| Ok((name.into_bytes(), scalar(&value)?))).collect()
        }
    }
}

/// The text of a JSON scalar; of a number its original digits.
fn scalar(value: &RawValue) -> Result<Option<Vec<u8>>, Rejected> {
    match value.get().as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(value.get()).map(|text: String| Some(text.into_bytes())).map_err(|_| Rejected::Malformed)
        }
        Some(b'{' | b'[') | None => Err(Rejected::NotCovered),
        Some(b'n') => Ok(None),
        Some(_) => Ok(Some(value.get().as_bytes().to_vec())),
    }
}

/// The members of a JSON object, repeated ones too, with their values as they are written.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// The parameters of a request that is about to be signed.
pub(super) fn of_outgoing(outgoing: &Outgoing) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = if outgoing.body.is_empty() || outgoing.is_form() {
        let encoded = if outgoing.body.is_empty() { outgoing.query().as_bytes() } else { &outgoing.body };
        Form::decode(encoded)?.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    } else {
        let Members(members) = serde_json::from_slice(&outgoing.body).ok()?;
        let pair = |(name, value): (String, Box<RawValue>)| Some((name.into_bytes(), scalar(&value).ok()??));
        members.into_iter().filter_map(pair).collect()
    };
    pairs.sort();
    Some(pairs)
}

/// Adds the signature to the parameters, wherever they are.
pub(super) fn add_signature(outgoing: &mut Outgoing, digits: &str) {
    if outgoing.body.is_empty() {
        outgoing.query_parameter("sig", digits);
    } else if outgoing.is_form() {
        outgoing.body.extend_from_slice(format!("&sig={digits}").as_bytes());
    } else if let Some(end) = outgoing.body.iter().rposition(|&byte| byte == b'}') {
        outgoing.body.splice(end..end, format!(",\"sig\":\"{digits}\"").into_bytes());
    }
}
