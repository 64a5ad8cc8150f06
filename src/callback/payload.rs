//! The payload of a callback: the parameters of a form, or a document.

use std::cell::OnceCell;

use serde_json::Value;

use super::Callback;
use crate::{
    form::Form,
    json::{self, JsonError},
};

/// The payload of a callback.
#[derive(Debug)]
pub enum Payload<'c> {
    /// The parameters of the body or, without a body, of the URL.
    Form(Form<'c>),
    /// A body that is not a form: JSON, or bytes that cannot be parsed.
    Document(Document<'c>),
}

/// A body that is not a form. Its JSON is parsed at most once, on first use.
#[derive(Debug)]
pub struct Document<'c> {
    bytes: &'c [u8],
    json: OnceCell<Result<Value, JsonError>>,
}

impl<'c> Document<'c> {
    fn new(bytes: &'c [u8]) -> Self {
        Self { bytes, json: OnceCell::new() }
    }

    /// Adds the JSON, which was parsed for the digest.
    pub(crate) fn with_json(self, json: Value) -> Self {
        Self { json: Ok(json).into(), ..self }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &'c [u8] {
        self.bytes
    }

    pub fn json(&self) -> Result<&Value, JsonError> {
        self.json.get_or_init(|| json::parse(self.bytes)).as_ref().map_err(|error| *error)
    }
}

/// The way to distinguish a form from a document. Without a body, as with GET, the payload is the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// By the declared media type, for schemes that sign the decoded parameters of a form.
    Declared,
    /// By the bytes alone, for schemes that sign the bytes but not their type, or nothing: JSON begins with a bracket, and a form
    /// has an equals sign.
    Sniffed,
}

impl PayloadKind {
    /// Decodes the payload. Verifier and parser use the same result, so that no bytes have two meanings.
    pub fn decode(self, callback: &Callback) -> Payload<'_> {
        let body = &callback.body;
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let form = match (self, first) {
            _ if body.is_empty() => Form::decode(callback.query().as_bytes()),
            (Self::Declared, _) | (_, None) if callback.is_declared_form() => Form::decode(body),
            (Self::Sniffed, Some(first)) if !b"{[".contains(first) && body.contains(&b'=') => Form::decode(body),
            _ => None,
        };
        form.map_or_else(|| Payload::Document(Document::new(body)), Payload::Form)
    }
}
