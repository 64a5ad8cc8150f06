//! The payload of a callback: the parameters of a form, or a document.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value;

use super::{
    Callback,
    flat_json::{Members, Scalar},
};
use crate::{
    form::Form,
    json::{self, JsonError},
};

/// The payload of a callback.
pub enum Payload<'c> {
    /// The parameters of the body or, without a body, of the URL.
    Form(Form<'c>),
    /// A body that is not a form: JSON, or bytes that cannot be parsed.
    Document(Document<'c>),
}

/// A body that is not a form. Its JSON is parsed at most once, on first use.
pub struct Document<'c> {
    bytes: Cow<'c, [u8]>,
    json: OnceCell<Result<Value, JsonError>>,
}

impl<'c> Document<'c> {
    fn new(bytes: impl Into<Cow<'c, [u8]>>) -> Self {
        Self { bytes: bytes.into(), json: OnceCell::new() }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn json(&self) -> Result<&Value, JsonError> {
        self.json.get_or_init(|| json::parse(&self.bytes)).as_ref().map_err(|error| *error)
    }
}

/// The way to decode the payload of a verified callback. It belongs to the scheme: it depends on nothing that the scheme leaves open, so
/// that a proof has one reading. Without a body, as with GET, the payload is the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// A form if it is declared as one, for a scheme that signs the decoded parameters of a form and never those of a document.
    Declared,
    /// By the bytes alone, for schemes that sign the bytes but not their type, or nothing: JSON begins with a bracket, and a form
    /// has an equals sign.
    Sniffed,
    /// As [`PayloadKind::Sniffed`]; without a body the document that a query is hashed as.
    Hashed,
    /// The parameters of a query, a form or a flat JSON object, for schemes that sign them in the same way. Anything else is a document.
    Parameters,
}

impl PayloadKind {
    /// Decodes the payload. Verifier and parser use the same result, so that no bytes have two meanings.
    pub fn decode(self, callback: &Callback) -> Payload<'_> {
        let body = &callback.body;
        let form = match self {
            Self::Hashed if body.is_empty() => {
                return Payload::Document(Document::new(query_as_json(callback.query()).unwrap_or_default()));
            }
            Self::Parameters => parameters(callback).map(with_values),
            _ if body.is_empty() => Form::decode(callback.query().as_bytes()),
            Self::Declared => callback.is_declared_form().then(|| Form::decode(body)).flatten(),
            Self::Sniffed | Self::Hashed => {
                let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
                let is_form = first.is_some_and(|first| !b"{[".contains(first)) && body.contains(&b'=');
                is_form.then(|| Form::decode(body)).flatten()
            }
        };
        form.map_or_else(|| Payload::Document(Document::new(body.as_ref())), Payload::Form)
    }
}

/// A parameter's name and its value; a JSON null has none.
pub type Parameter<'c> = (Cow<'c, [u8]>, Option<Cow<'c, [u8]>>);

/// The parameters of a query, a form or a flat JSON object, in the order received and with repeated names.
pub fn parameters(callback: &Callback) -> Option<Vec<Parameter<'_>>> {
    let body = &callback.body;
    let encoded = if body.is_empty() { callback.query().as_bytes() } else { body };
    if body.is_empty() || callback.is_declared_form() {
        return Some(Form::decode(encoded)?.into_pairs().map(|(name, value)| (name, Some(value))).collect());
    }
    let Members(members) = serde_json::from_slice(body).ok()?;
    let member = |(name, value): (String, _)| Some((name.into_bytes().into(), Scalar::parse(value)?.into_text().map(into_bytes)));
    members.into_iter().map(member).collect()
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The parameters that have a value, as a form.
pub(crate) fn with_values(parameters: Vec<Parameter<'_>>) -> Form<'_> {
    Form::from_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// The parameters of a query as a token's hash covers them: a compact JSON object in the order received.
pub fn query_as_json(query: &str) -> Option<Vec<u8>> {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes)).to_string();
    let form = Form::decode(query.as_bytes())?;
    let members: Vec<String> = form.pairs().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    Some(format!("{{{}}}", members.join(",")).into_bytes())
}

crate::secret::opaque!(Document<'_>, Payload<'_>);
