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

impl<'c> VerifiedCallback<'c> {
    /// The proof by which it was verified.
    pub fn proof(&self) -> &Proof<'c> {
        &self.proof
    }

    /// The payload that the proof covers.
    pub fn payload(&self) -> &Payload<'c> {
        self.proof.payload()
    }

    /// The payload as JSON.
    pub fn json(&self) -> Result<&Value, JsonError> {
        match self.payload() {
            Payload::Form(_) => Err(JsonError::NotJson),
            Payload::Document(document) => document.json(),
        }
    }

    /// The raw query, if the scheme signs the URL.
    pub fn signed_query(&self) -> Option<&str> {
        self.proof.scheme().covers_url.then(|| self.as_received().query())
    }

    /// The raw query, unless the scheme signs the payload and not the URL: then anyone may have written it.
    pub fn query(&self) -> &str {
        let scheme = self.proof.scheme();
        if scheme.covers_url || !scheme.covers_payload { self.as_received().query() } else { "" }
    }

    /// The route of the endpoint to which it was sent.
    pub fn route(&self) -> &'static str {
        self.as_received().route
    }

    /// The whole request, for the store. A parser reads only what the proof covers.
    pub fn as_received(&self) -> &'c Callback {
        self.proof.callback()
    }
}

impl<'c> From<Proof<'c>> for VerifiedCallback<'c> {
    fn from(proof: Proof<'c>) -> Self {
        Self { proof }
    }
}
