//! One HTTP request from a provider: untrusted as [`Callback`], proven genuine as [`VerifiedCallback`].

use std::{net::IpAddr, ops::Deref, sync::Arc};

use bytes::Bytes;

use crate::{
    form::{self, Form},
    public_url::PublicUrl,
    signature::{Proof, url_token},
    text,
    time::Timestamp,
};

/// A request as it was received. Nothing in it may be believed.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The request method, upper case.
    pub method: String,
    /// The raw path and query as they stood in the request line; never decoded, sorted or normalized.
    pub target: String,
    /// By which of the endpoint's routes it came: a name of [`crate::provider::Spec::routes`], empty for the endpoint's own.
    pub route: &'static str,
    /// What the token in its path grants, if there was one.
    pub url_token: Option<url_token::Grant>,
    /// The address of the client, as far as it is known: a proxy that is not trusted is the client.
    pub client: Option<IpAddr>,
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
    /// The raw query string, without the question mark; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The media type of the body, lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = std::str::from_utf8(self.headers.sole("content-type").ok()??).ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        // Another charset would make the verifier and the reader see different text, so the type counts as unknown.
        let mut charsets = parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        let readable = charsets.all(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
        readable.then(|| essence.trim().to_ascii_lowercase())
    }

    /// The payload by its bytes alone, for schemes that sign the bytes and not their type: JSON begins with a bracket, and a
    /// form has an equals sign.
    pub fn payload_by_bytes(&self) -> Payload<'_> {
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            Some(b'{' | b'[') => Payload::Document(&self.body),
            Some(_) if self.body.contains(&b'=') => Form::decode(&self.body).map_or(Payload::Document(&self.body), Payload::Form),
            Some(_) => Payload::Document(&self.body),
            None => self.payload(),
        }
    }

    /// The payload. Without a body it is the query, as with GET.
    pub fn payload(&self) -> Payload<'_> {
        let form = if self.body.is_empty() {
            Form::decode(self.query().as_bytes())
        } else if self.media_type().as_deref() == Some(form::MEDIA_TYPE) {
            Form::decode(&self.body)
        } else {
            None
        };
        form.map_or(Payload::Document(&self.body), Payload::Form)
    }
}

/// What a callback carries. Verifier and reader ask the same function for it, so that both see the same.
#[derive(Debug)]
pub enum Payload<'c> {
    /// The parameters of the body or, without a body, of the URL.
    Form(Form<'c>),
    /// A body that is no form: JSON, or what cannot be read.
    Document(&'c [u8]),
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

    /// The names of all headers, lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether a header of that name was sent.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Every header whose name is in the list, as text, for the stored request.
    pub fn keep(&self, names: &[&str]) -> serde_json::Map<String, serde_json::Value> {
        self.0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), text::clean(&String::from_utf8_lossy(value)).into()))
            .collect()
    }

    /// The headers for which that holds, as they came, for a request that may be looked at again: those that were repeated as
    /// a list, a value that is no text as null.
    pub fn keep_exactly(&self, is_kept: impl Fn(&str, &[u8]) -> bool) -> serde_json::Map<String, serde_json::Value> {
        let mut kept = serde_json::Map::new();
        for (name, value) in self.0.iter().filter(|(name, value)| is_kept(name, value)) {
            let value = std::str::from_utf8(value).map_or(serde_json::Value::Null, |text| text::clean(text).into());
            match kept.get_mut(name) {
                Some(serde_json::Value::Array(values)) => values.push(value),
                Some(first) => *first = vec![first.take(), value].into(),
                None => drop(kept.insert(name.clone(), value)),
            }
        }
        kept
    }

    /// The headers that [`Headers::keep_exactly`] kept. What was no text is as unreadable as it was.
    pub fn restore(kept: &serde_json::Map<String, serde_json::Value>) -> Self {
        let bytes = |value: &serde_json::Value| value.as_str().map_or_else(|| vec![0xff], |text| text.as_bytes().to_vec());
        let pairs = |(name, value): (&String, &serde_json::Value)| match value {
            serde_json::Value::Array(values) => values.iter().map(|value| (name.clone(), bytes(value))).collect::<Vec<_>>(),
            value => vec![(name.clone(), bytes(value))],
        };
        kept.iter().flat_map(pairs).collect()
    }

    /// The same with that header's value, whatever it was.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.0.iter().filter(|(key, _)| key != name).cloned();
        Self(others.chain([(name.to_owned(), value.as_bytes().to_vec())]).collect())
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_type(value: &str) -> Option<String> {
        let callback = Callback {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            route: "",
            url_token: None,
            client: None,
            public_urls: Arc::from([]),
            headers: [("Content-Type", value)].into_iter().collect(),
            body: Bytes::new(),
            received_at: Timestamp::from_seconds(0).expect("an instant"),
        };
        callback.media_type()
    }

    #[test]
    fn only_utf_8_is_readable_wherever_the_charset_stands() {
        for readable in ["a/b", "A/B ; charset=UTF-8", "a/b;charset=\"utf-8\"; x=y", "a/b; x=y; charset=utf-8", "a/b;"] {
            assert_eq!(media_type(readable).as_deref(), Some("a/b"), "{readable}");
        }
        for other in ["a/b; charset=utf-16", "a/b; x=y; Charset=latin1", "a/b; charset=utf-8; charset=utf-7"] {
            assert_eq!(media_type(other), None, "{other}");
        }
    }
}
