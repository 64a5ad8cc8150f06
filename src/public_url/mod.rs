//! The public URL of the gateway, and the spellings of it that providers sign.

mod host;
mod spelling;

use std::{fmt, str::FromStr};

use self::host::Host;
pub use self::spelling::fold_spelling;

/// A public origin with an optional path prefix: `WEBHOOK_BASE_URL`.
///
/// The signed URL is this followed by the raw path and query. `Host` and forwarded headers are not used.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    userinfo: Option<String>,
    host: Host,
    port: Option<u16>,
    prefix: String,
    /// The spellings, the configured one first: with and without credentials and port, and with the host as it was written.
    spellings: Vec<String>,
}

/// The most spellings of one URL.
#[cfg(test)]
const MAX_SPELLINGS: usize = 72;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `https://host[:port][/prefix]` without query or fragment")]
pub struct PublicUrlError;

impl PublicUrl {
    /// The host in its canonical form: ASCII, in lower case.
    pub fn host(&self) -> &str {
        self.host.canonical()
    }

    /// True for this machine itself.
    pub fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }

    /// The URL with the host as it was written, without credentials.
    pub fn as_written(&self) -> String {
        self.spell(self.host.spellings().last().unwrap_or_default(), None, self.port, "")
    }

    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path before those of the endpoints; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The URL with another origin and prefix, if they are valid.
    pub fn relocated(&self, scheme: &str, authority: &str, prefix: &str) -> Option<Self> {
        let Self { scheme, host, port, prefix, .. } = format!("{scheme}://{authority}{prefix}").parse().ok()?;
        Some(Self::new(scheme, self.userinfo.clone(), host, port, prefix))
    }

    /// The URL with these credentials, unless it has some.
    #[must_use]
    pub fn with_userinfo(&self, userinfo: &str) -> Self {
        let Self { scheme, host, port, prefix, .. } = self.clone();
        Self::new(scheme, self.userinfo.clone().or_else(|| Some(userinfo.to_owned())), host, port, prefix)
    }

    /// The URL as configured, with the raw path and query of a request.
    pub fn join(&self, target: &str) -> String {
        self.spell(self.host(), self.userinfo.as_deref(), self.port, target)
    }

    /// The URL of a listener, for a gateway without a public one.
    pub fn from_listener(address: std::net::SocketAddr) -> Self {
        // An unspecified address cannot be called; providers need WEBHOOK_BASE_URL in any case.
        Self::new("http", None, Host::from(address.ip()), Some(address.port()), String::new())
    }

    fn new(scheme: &'static str, userinfo: Option<String>, host: Host, port: Option<u16>, prefix: String) -> Self {
        let mut url = Self { scheme, userinfo, host, port, prefix, spellings: Vec::new() };
        let standard = if scheme == "https" { 443 } else { 80 };
        for host in url.host.spellings() {
            for userinfo in [url.userinfo.as_deref(), None] {
                for port in [port, None, Some(standard)] {
                    let spelling = url.spell(host, userinfo, port, "");
                    if !url.spellings.contains(&spelling) {
                        url.spellings.push(spelling);
                    }
                }
            }
        }
        url
    }

    fn spell(&self, host: &str, userinfo: Option<&str>, port: Option<u16>, target: &str) -> String {
        let Self { scheme, prefix, .. } = self;
        let userinfo = userinfo.map_or_else(String::new, |info| format!("{info}@"));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}://{userinfo}{host}{port}{prefix}{target}")
    }
}

/// Finds the first result for the spellings of these URLs that Twilio and compatible providers are known to sign, each passed in two
/// parts. The configured ones are tried first, before the others are made; then those without credentials, with other ports, and with
/// three known differences in the encoding of the query. The host is also tried as it was written, because providers sign the URL as it was
/// pasted. Never another host or path.
///
/// Sources: twilio-python 9.13.0 `request_validator.py`, twilio-node 6.2.0 `webhooks.js` (read 2026-11-22).
pub fn find_spelling<T>(urls: &[PublicUrl], target: &str, mut find: impl FnMut(&str, &str) -> Option<T>) -> Option<T> {
    let most = urls.iter().map(|url| url.spellings.len()).max()?;
    spelling::spellings(target).find_map(|target| {
        let mut origins = (0..most).flat_map(|place| urls.iter().filter_map(move |url| url.spellings.get(place)));
        origins.find_map(|origin| find(origin, &target))
    })
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(PublicUrlError)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => "https",
            "http" => "http",
            _ => return Err(PublicUrlError),
        };
        if rest.contains(['?', '#', '\\']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(PublicUrlError);
        }
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo.to_owned()), address),
            None => (None, authority),
        };
        // A colon inside the brackets of an IPv6 address does not precede a port.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port).ok_or(PublicUrlError)?)),
            _ => (address, None),
        };
        let host = Host::parse(host).ok_or(PublicUrlError)?;
        Ok(Self::new(scheme, userinfo, host, port, prefix.trim_end_matches('/').to_owned()))
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Without credentials, like [`fmt::Display`].
impl fmt::Debug for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.spell(self.host(), None, self.port, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> PublicUrl {
        text.parse().expect(text)
    }

    #[test]
    fn ipv6_ports_and_prefixes_are_retained() {
        assert_eq!(public("http://[::1]:8080").join("/x"), "http://[::1]:8080/x");
        assert_eq!(public("http://[::1]").join("/x"), "http://[::1]/x");
        assert_eq!(public("https://example.com/gateway/").join("/x"), "https://example.com/gateway/x");
    }

    #[test]
    fn host_and_scheme_are_read_in_any_case() {
        for (written, canonical) in [
            ("https://Hooks.Example.COM", "https://hooks.example.com"),
            ("HTTPS://hooks.example.com.", "https://hooks.example.com"),
            ("HttpS://HOOKS.example.com.:443/In/", "https://hooks.example.com:443/In"),
            ("https://hooks.M\u{fc}ller.example", "https://hooks.xn--mller-kva.example"),
            ("https://hooks.XN--MLLER-KVA.example", "https://hooks.xn--mller-kva.example"),
            ("https://\u{ff28}ooks\u{3002}example", "https://hooks.example"),
            ("http://[2001:DB8:0::7]:8080", "http://[2001:db8::7]:8080"),
            ("http://LocalHost:8080", "http://localhost:8080"),
            ("https://my_host.example", "https://my_host.example"),
        ] {
            let url = public(written);
            assert_eq!((url.to_string(), url.join("/X?A")), (canonical.to_owned(), format!("{canonical}/X?A")), "{written}");
        }
        let spellings = public("https://User:Pass@Hooks.Example.COM:443/In").spellings;
        for signed in [
            "https://User:Pass@hooks.example.com:443/In",
            "https://hooks.example.com/In",
            "https://User:Pass@Hooks.Example.COM:443/In",
            "https://Hooks.Example.COM/In",
        ] {
            assert!(spellings.iter().any(|spelling| spelling == signed), "{signed} in {spellings:?}");
        }
        assert_eq!(public("https://Hooks.Example.COM").as_written(), "https://Hooks.Example.COM");
    }

    #[test]
    fn invalid_urls_are_rejected() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://h:port",
            "https://h:+443",
            "https://h:65536",
            "https://h:",
            "https://h/?q",
            "https://h/#f",
            "https://a b",
            "https://.",
            "https://a..b",
            "https://${HOST}",
            "https://h%41",
            "https://[::1",
            "https://[h]",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlError), "{text}");
        }
    }

    #[test]
    fn credentials_are_not_displayed() {
        let url = public("https://user:pass@example.com");
        assert_eq!((url.to_string(), format!("{url:?}")), ("https://example.com".to_owned(), "https://example.com".to_owned()));
    }
}
