//! One HTTP request from a provider: untrusted as [`Callback`], proven genuine as [`VerifiedCallback`].

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;

use crate::{form::Form, public_url::PublicUrl, signature::Proof, time::Timestamp};

/// A request as it was received. Nothing in it may be believed.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The request method, upper case.
    pub method: String,
    /// The raw path and query as they stood in the request line; never decoded, sorted or normalized.
    pub target: String,
    /// The public addresses under which the provider may know this gateway; the first is the canonical one.
    pub public_urls: Arc<[PublicUrl]>,
    /// The headers in the order received.
    pub headers: Headers,
    /// The exact body bytes.
    pub body: Bytes,
    /// When the request was received; also the clock of every time window.
    pub received_at: Timestamp,
}

impl Callback {
    /// The URL the provider was given: the canonical public address and the raw path and query.
    pub fn url(&self) -> String {
        self.public_urls.first().map_or_else(|| self.target.clone(), |public| public.join(&self.target))
    }

    /// The raw query string, without the question mark; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The media type of the body, lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = std::str::from_utf8(self.headers.sole("content-type").ok()??).ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let charset = parameters.trim().to_ascii_lowercase();
        // Another charset would make the verifier and the reader see different text, so the type counts as unknown.
        let readable = !charset.starts_with("charset=") || charset.trim_start_matches("charset=").trim_matches('"') == "utf-8";
        readable.then(|| essence.trim().to_ascii_lowercase())
    }

    /// The decoded form, if the content type says that the body is one.
    pub fn form(&self) -> Option<Form<'_>> {
        (self.media_type()? == "application/x-www-form-urlencoded").then(|| Form::decode(&self.body))?
    }
}

/// A callback whose authenticity is proven. It exists only with a [`Proof`], which only [`crate::signature`] can make.
#[derive(Debug)]
pub struct VerifiedCallback<'c> {
    proof: Proof<'c>,
}

impl<'c> VerifiedCallback<'c> {
    /// How it was proven.
    pub fn proof(&self) -> &Proof<'c> {
        &self.proof
    }
}

impl<'c> From<Proof<'c>> for VerifiedCallback<'c> {
    fn from(proof: Proof<'c>) -> Self {
        Self { proof }
    }
}

impl Deref for VerifiedCallback<'_> {
    type Target = Callback;

    fn deref(&self) -> &Callback {
        self.proof.callback()
    }
}

/// Request headers: names in lower case, values as bytes, repetitions kept.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// A header that must stand alone was sent more than once.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeated;

impl Headers {
    /// The value of a header that may be sent once at the most.
    pub fn sole(&self, name: &str) -> Result<Option<&[u8]>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_slice());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Repeated),
        }
    }

    /// Every header whose name is in the list, as text, for the stored request.
    pub fn keep(&self, names: &[&str]) -> serde_json::Map<String, serde_json::Value> {
        self.0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), crate::text::clean(&String::from_utf8_lossy(value)).into()))
            .collect()
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into())).collect())
    }
}
