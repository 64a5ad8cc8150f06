//! One HTTP request from a provider, not verified yet.

pub(crate) mod flat_json;
mod headers;
mod payload;

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;

pub(crate) use self::payload::with_values;
pub use self::{
    headers::{Headers, Repeated},
    payload::{Document, Parameter, Payload, PayloadKind, parameters, query_as_json},
};
use crate::{form, public_url::PublicUrl, time::Timestamp, url_token::Grant};

/// A request as it was received: untrusted input.
#[derive(Clone)]
pub struct Callback {
    /// The request method, upper case.
    pub method: String,
    /// The raw path and query of the request line; never decoded, sorted or normalized.
    pub target: String,
    /// The route: one of [`crate::provider::Spec::routes`], or empty for the endpoint's own path.
    pub route: &'static str,
    /// The grant of the token in the path, if there was one.
    pub url_token: Option<Grant>,
    /// The address of the client, if known. A proxy that is not trusted counts as the client.
    pub client: Option<IpAddr>,
    /// The public URLs by which the provider may address this gateway; the first is the canonical one.
    pub public_urls: Arc<[PublicUrl]>,
    /// The headers in the order received.
    pub headers: Headers,
    /// The exact body bytes.
    pub body: Bytes,
    /// The time of receipt; also the clock of every time window.
    pub received_at: Timestamp,
}

impl Callback {
    /// The raw query string, without the question mark; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The media type of the body, without parameters.
    pub fn media_type(&self) -> Option<&str> {
        let value = std::str::from_utf8(self.headers.single("content-type").ok()??).ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        // With another charset verifier and parser would see different text, so the type counts as unknown.
        let mut charsets = parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        let readable = charsets.all(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
        readable.then(|| essence.trim())
    }

    /// Returns true if the body is declared to be a form.
    pub(crate) fn is_declared_form(&self) -> bool {
        self.media_type().is_some_and(|media_type| media_type.eq_ignore_ascii_case(form::MEDIA_TYPE))
    }
}

crate::secret::opaque!(Callback);

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
        callback.media_type().map(str::to_ascii_lowercase)
    }

    #[test]
    fn media_type_with_another_charset_is_unknown() {
        for readable in ["a/b", "A/B ; charset=UTF-8", "a/b;charset=\"utf-8\"; x=y", "a/b; x=y; charset=utf-8", "a/b;"] {
            assert_eq!(media_type(readable).as_deref(), Some("a/b"), "{readable}");
        }
        for other in ["a/b; charset=utf-16", "a/b; x=y; Charset=latin1", "a/b; charset=utf-8; charset=utf-7"] {
            assert_eq!(media_type(other), None, "{other}");
        }
    }
}
