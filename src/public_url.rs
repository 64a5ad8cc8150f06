//! The address under which a provider knows the gateway, and the spellings of it that providers sign.

use std::{fmt, str::FromStr};

/// A public origin with an optional path prefix: `WEBHOOK_BASE_URL`.
///
/// The URL that a provider signed is this and the raw path and query. `Host` and forwarded headers never enter it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    userinfo: Option<String>,
    host: String,
    port: Option<u16>,
    prefix: String,
}

/// Each spelling costs a MAC of every request, forged ones too.
pub(crate) const MAX_SPELLINGS: usize = 36;

/// What is wrong with a public URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `https://host[:port][/prefix]` without query or fragment")]
pub struct NotAPublicUrl;

impl PublicUrl {
    /// The host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The scheme: `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The port, if it is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path before that of the endpoints; empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The same at another origin and below another prefix, if they make a URL.
    pub fn moved(&self, scheme: &str, authority: &str, prefix: &str) -> Option<Self> {
        let moved: Self = format!("{scheme}://{authority}{prefix}").parse().ok()?;
        Some(Self { userinfo: self.userinfo.clone(), ..moved })
    }

    /// The same with those credentials, unless it has some.
    #[must_use]
    pub fn with_userinfo(&self, userinfo: &str) -> Self {
        Self { userinfo: self.userinfo.clone().or_else(|| Some(userinfo.to_owned())), ..self.clone() }
    }

    /// The URL as configured, with the raw path and query of a request.
    pub fn join(&self, target: &str) -> String {
        self.spell(self.userinfo.as_deref(), self.port, target)
    }

    /// Every spelling of the URL that Twilio and its kin are known to sign, the configured one first: with and without
    /// the port and credentials, and with three known differences in the query's encoding. Never another host or path.
    ///
    /// Sources: twilio-python 9.13.0 `request_validator.py`, twilio-node 6.2.0 `webhooks.js` (read 2026-11-22).
    pub fn signed_spellings(&self, target: &str) -> Vec<String> {
        let standard = if self.scheme == "https" { 443 } else { 80 };
        let quotes = |target: &str| [target.to_owned(), target.replace('\'', "%27"), target.replace("%27", "'")];
        let queries = [quotes(target), quotes(&unescape_at_and_colon(target))].concat();
        let mut spellings: Vec<String> = Vec::with_capacity(MAX_SPELLINGS);
        for query in &queries {
            for userinfo in [self.userinfo.as_deref(), None] {
                for port in [self.port, None, Some(standard)] {
                    let spelling = self.spell(userinfo, port, query);
                    if spellings.len() < MAX_SPELLINGS && !spellings.contains(&spelling) {
                        spellings.push(spelling);
                    }
                }
            }
        }
        spellings
    }

    /// The address of a listener itself, for a gateway that has no public one.
    pub fn of_listener(address: std::net::SocketAddr) -> Self {
        // An unspecified address is no address to call; whoever calls from outside needs WEBHOOK_BASE_URL anyway.
        let host = match address {
            std::net::SocketAddr::V4(v4) => v4.ip().to_string(),
            std::net::SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        Self { scheme: "http", userinfo: None, host, port: Some(address.port()), prefix: String::new() }
    }

    fn spell(&self, userinfo: Option<&str>, port: Option<u16>, target: &str) -> String {
        let Self { scheme, host, prefix, .. } = self;
        let userinfo = userinfo.map_or_else(String::new, |info| format!("{info}@"));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}://{userinfo}{host}{port}{prefix}{target}")
    }
}

/// The one spelling that stands for all that [`PublicUrl::signed_spellings`] takes for the same. It is applied to
/// everything that was signed, for a part of the query may have been moved into the form, or the other way.
pub fn fold_spelling(signed: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(signed.len());
    let mut rest = signed;
    while let Some((&first, tail)) = rest.split_first() {
        let (spelling, length): (&[u8], usize) = match (first, rest.get(..3)) {
            (b'\'', _) => (b"%27", 1),
            (_, Some(b"%40")) => (b"@", 3),
            (_, Some(b"%3A" | b"%3a")) => (b":", 3),
            _ => (&[first], 1),
        };
        folded.extend_from_slice(spelling);
        rest = rest.get(length..).unwrap_or(tail);
    }
    folded
}

/// Twilio has signed `@` and `:` of a query unescaped though it sent them escaped (twilio-node PR 621).
fn unescape_at_and_colon(target: &str) -> String {
    match target.split_once('?') {
        Some((path, query)) => format!("{path}?{}", query.replace("%40", "@").replace("%3A", ":").replace("%3a", ":")),
        None => target.to_owned(),
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(NotAPublicUrl)?;
        let scheme = match scheme {
            "https" => "https",
            "http" => "http",
            _ => return Err(NotAPublicUrl),
        };
        if rest.contains(['?', '#', '\\']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NotAPublicUrl);
        }
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo.to_owned()), address),
            None => (None, authority),
        };
        // A colon inside the brackets of an IPv6 address is not a port's.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| NotAPublicUrl)?)),
            _ => (address, None),
        };
        if host.is_empty() {
            return Err(NotAPublicUrl);
        }
        Ok(Self { scheme, userinfo, host: host.to_owned(), port, prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.spell(None, self.port, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> PublicUrl {
        text.parse().expect(text)
    }

    #[test]
    fn the_configured_spelling_is_first_and_host_and_path_never_change() {
        let spellings = public("https://u:p@example.com:8443/in").signed_spellings("/webhooks/twilio?a=it%27s");
        assert_eq!(spellings.first().map(String::as_str), Some("https://u:p@example.com:8443/in/webhooks/twilio?a=it%27s"));
        assert!(spellings.iter().all(|url| url.contains("example.com") && url.contains("/in/webhooks/twilio?a=it")));
        assert!(spellings.len() <= MAX_SPELLINGS, "the work per request is bounded");
        assert_eq!(fold_spelling(b"/x?a=it%27s%40%3A%3a%4"), fold_spelling(b"/x?a=it's@::%4"));
    }

    #[test]
    fn ipv6_ports_and_prefixes() {
        assert_eq!(public("http://[::1]:8080").join("/x"), "http://[::1]:8080/x");
        assert_eq!(public("http://[::1]").join("/x"), "http://[::1]/x");
        assert_eq!(public("https://example.com/gateway/").join("/x"), "https://example.com/gateway/x");
    }

    #[test]
    fn what_is_not_a_public_url_is_refused() {
        for text in
            ["", "example.com", "ftp://example.com", "https://", "https://h:port", "https://h/?q", "https://h/#f", "https://a b"]
        {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
    }

    #[test]
    fn display_hides_credentials() {
        assert_eq!(public("https://user:pass@example.com").to_string(), "https://example.com");
    }
}
