//! A callback that was verified.

use serde_json::Value;

use super::Proof;
use crate::{
    callback::{Callback, Payload},
    json::JsonError,
};

/// A verified callback. It exists only with a [`Proof`], which only [`crate::signature`] can make.
#[derive(Debug)]
pub struct VerifiedCallback<'c> {
    proof: Proof<'c>,
}

/// The part of a verified callback that its proof covers, for a parser. A request that may be another cut of a captured one has none.
#[derive(Clone, Copy)]
pub struct Readable<'v, 'c> {
    proof: &'v Proof<'c>,
}

impl<'c> VerifiedCallback<'c> {
    /// The proof by which it was verified.
    pub fn proof(&self) -> &Proof<'c> {
        &self.proof
    }

    /// The part for a parser, unless the request has no listed shape and its signature no delimiters.
    pub fn readable(&self) -> Option<Readable<'_, 'c>> {
        self.proof.is_readable.then_some(Readable { proof: &self.proof })
    }

    /// The whole request, for the store.
    pub fn as_received(&self) -> &'c Callback {
        self.proof.callback
    }
}

impl<'v, 'c> Readable<'v, 'c> {
    /// The payload that the proof covers.
    pub fn payload(&self) -> &'v Payload<'c> {
        self.proof.payload()
    }

    /// The payload as JSON.
    pub fn json(&self) -> Result<&'v Value, JsonError> {
        match self.payload() {
            Payload::Form(_) => Err(JsonError::NotJson),
            Payload::Document(document) => document.json(),
        }
    }

    /// Returns true if the payload is the query.
    pub fn is_query(&self) -> bool {
        self.proof.callback.body.is_empty()
    }

    /// The raw query, if the scheme signs the URL.
    pub fn signed_query(&self) -> Option<&'c str> {
        self.proof.scheme.covers_url.then(|| self.proof.callback.query())
    }

    /// The raw query, unless the scheme signs the payload and not the URL: then anyone may have written it.
    pub fn query(&self) -> &'c str {
        let scheme = self.proof.scheme;
        if scheme.covers_url || !scheme.covers_payload { self.proof.callback.query() } else { "" }
    }

    /// The route of the endpoint to which it was sent.
    pub fn route(&self) -> &'static str {
        self.proof.callback.route
    }
}

impl<'c> From<Proof<'c>> for VerifiedCallback<'c> {
    fn from(proof: Proof<'c>) -> Self {
        Self { proof }
    }
}
