//! The settings of the broker: its servers, the login there, and the stream.

use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::{env::values::items, secret::Secret};

/// The form of the servers' URLs.
pub const EXPECTED_SERVERS: &str =
    "nats://[user:password@|token@]host[:port], or tls://…; a comma list of such for several servers with one login";

/// The part of a process in front of and behind the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Receives callbacks and queues them. It has no database and writes no file.
    Gateway,
    /// Writes queued callbacks to the database.
    Writer,
    /// Both.
    #[default]
    All,
}

/// NATS `JetStream`, as this process uses it.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    pub servers: Servers,
    /// A login that is not in the servers' URLs.
    pub login: Option<Login>,
    pub tls: TlsFiles,
    pub stream: StreamOptions,
    pub role: Role,
}

/// The servers and the login that their URLs contain.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Their URLs, without credentials.
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) login: Option<Login>,
}

/// A login at the servers.
#[derive(Clone, Debug)]
pub enum Login {
    Token(Secret),
    Password {
        user: String,
        password: Secret,
    },
    /// The seed of an Ed25519 key.
    Nkey(Secret),
    /// The text of a credentials file: a JWT and the seed of its key.
    Credentials(Secret),
}

/// Files with certificates and keys, in PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The authorities that are trusted in place of the system's.
    pub authorities: Option<PathBuf>,
    /// The certificate of this client, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The stream that holds the queued requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    pub name: String,
    /// The number of servers that store it, if it is created.
    pub replicas: usize,
    /// Its limit, if it is created.
    pub max_bytes: u64,
}

impl Servers {
    /// Parses a comma list of URLs. A server without a scheme has that of the first.
    pub fn parse(list: &str) -> Option<Self> {
        let (scheme, _) = list.split_once("://")?;
        let (mut addresses, mut login) = (Vec::new(), None);
        for item in items(list) {
            let url = if item.contains("://") { item.to_owned() } else { format!("{scheme}://{item}") };
            let address: ServerAddr = url.parse().ok()?;
            let is_known = ["nats", "tls"].contains(&address.scheme()) && !address.host().is_empty();
            let of_server = login_of(&address);
            let mut url = address.into_inner();
            let is_plain = ["", "/"].contains(&url.path()) && url.query().is_none() && url.fragment().is_none();
            if !is_known || !is_plain {
                return None;
            }
            // It would be shown with the address.
            url.set_password(None).and_then(|()| url.set_username("")).ok()?;
            addresses.push(ServerAddr::from_url(url).ok()?);
            match (&login, of_server) {
                (Some(known), Some(given)) if *known != given => return None,
                (None, given) => login = given,
                _ => {}
            }
        }
        (!addresses.is_empty()).then(|| Self { addresses, login: login.map(Into::into) })
    }

    /// True if the URLs have a login.
    pub fn have_login(&self) -> bool {
        self.login.is_some()
    }

    /// True if a connection leads to another machine, and its URL does not require TLS.
    pub fn are_unencrypted(&self) -> bool {
        let is_local = |host: &str| host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        self.addresses.iter().any(|server| server.scheme() == "nats" && !is_local(server.host()))
    }
}

/// User and password of a URL; a token has no password.
type UrlLogin = (String, Option<String>);

/// The login of a URL, if it has one. Bytes that are not UTF-8 are replaced, and no server accepts them.
fn login_of(address: &ServerAddr) -> Option<UrlLogin> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decoded(address.username()?), address.password().map(decoded)))
}

impl From<UrlLogin> for Login {
    fn from((user, password): UrlLogin) -> Self {
        match password {
            Some(password) => Self::Password { user, password: Secret::new(password) },
            None => Self::Token(Secret::new(user)),
        }
    }
}

impl Login {
    /// True for the seed of a user's key, in base 32.
    pub fn is_seed(secret: &Secret) -> bool {
        let text = secret.text();
        text.len() == 58 && text.starts_with("SU") && text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
    }

    /// Checks a credentials file's text.
    pub fn credentials(text: &str) -> Option<Self> {
        ConnectOptions::with_credentials(text).ok().map(|_| Self::Credentials(Secret::new(text)))
    }
}

/// True for a name that is also a subject in lower case.
pub fn is_stream_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(list: &str) -> String {
        match Servers::parse(list).and_then(|servers| servers.login) {
            Some(Login::Password { user, password }) => format!("{user} {}", password.text()),
            Some(Login::Token(token)) => token.text().to_owned(),
            _ => String::new(),
        }
    }

    #[test]
    fn servers_and_their_login_are_parsed() {
        let servers = Servers::parse("tls://u:p%40ss@one:4333, two,tls://three").expect("servers");
        let urls: Vec<&str> = servers.addresses.iter().map(ServerAddr::as_url_str).collect();
        assert_eq!(urls, ["tls://one:4333", "tls://two", "tls://three"]);
        assert_eq!(login("tls://u:p%40ss@one:4333,two"), "u p@ss");
        assert_eq!(login("nats://s3cret@one"), "s3cret");
        assert!(!format!("{servers:?}").contains("p@ss") && !format!("{servers:?}").contains("p%40ss"));
    }

    #[test]
    fn other_urls_are_refused() {
        for wrong in ["", "localhost", "http://one", "ws://one", "nats://", "nats://one/path", "nats://a:b@one,nats://c:d@two"] {
            assert!(Servers::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn unencrypted_connections_to_other_machines_are_known() {
        for (list, expected) in [("nats://127.0.0.1", false), ("nats://localhost,nats://db", true), ("tls://db", false)] {
            assert_eq!(Servers::parse(list).expect("servers").are_unencrypted(), expected, "{list}");
        }
    }

    #[test]
    fn stream_names_are_subjects() {
        assert!(is_stream_name("WAYBILL") && is_stream_name("waybill-eu_2"));
        assert!(!is_stream_name("") && !is_stream_name("a.b") && !is_stream_name("a b") && !is_stream_name("a*"));
    }
}
