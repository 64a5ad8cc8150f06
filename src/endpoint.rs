//! A provider and an account: what one URL of the gateway stands for.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    callback::{Callback, VerifiedCallback},
    event::Event,
    limiter::{Admission, Limited, Limiter},
    metrics::EndpointMetrics,
    provider::{InUrl, InvalidPayload, Provider, Reply, Spec, Unparsable},
    public_url::PublicUrl,
    signature::{Outgoing, Rejected, Scheme, ip, unverified, url_secret, url_token},
};

/// The name of one customer's credentials at a provider: lower case, `-` for `_`; the unnamed one is `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account(String);

/// Names that would collide with a path.
const RESERVED: [&str; 3] = ["default", "swml", "t"];

/// Why a name cannot be an account's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account is named by A-Z, 0-9 and _, 64 at the most, and not DEFAULT, SWML or T")]
pub struct NotAnAccount;

impl Account {
    /// The unnamed account.
    pub fn unnamed() -> Self {
        Self("default".to_owned())
    }

    /// The name as stored and as in paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as in variables.
    pub fn variable(&self) -> String {
        self.0.to_uppercase().replace('-', "_")
    }

    /// Whether it is the unnamed account.
    pub fn is_unnamed(&self) -> bool {
        self.0 == "default"
    }
}

impl FromStr for Account {
    type Err = NotAnAccount;

    /// Reads the spelling used in variables.
    fn from_str(variable: &str) -> Result<Self, NotAnAccount> {
        let plain = variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let name = variable.to_lowercase().replace('_', "-");
        let fits = (1..=64).contains(&name.len());
        if plain && fits && !RESERVED.contains(&name.as_str()) { Ok(Self(name)) } else { Err(NotAnAccount) }
    }
}

/// What to answer about a message that the application has not registered. Its event is kept in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum UnknownMessage {
    /// 200.
    #[default]
    Accept,
    /// 404 `not_found`.
    NotFound,
}

/// A configured endpoint.
pub struct Endpoint {
    /// The provider.
    pub spec: &'static Spec,
    /// The account there.
    pub account: Account,
    /// The path of the provider's unnamed account on the public listener.
    pub base_path: String,
    /// The public addresses of the gateway for this endpoint; the first is canonical.
    pub public_urls: Arc<[PublicUrl]>,
    /// What to answer to an authentic payload that cannot be read.
    pub invalid_payload: InvalidPayload,
    /// What to answer about a message that the application has not registered.
    pub unknown_message: UnknownMessage,
    /// Present only in development: callbacks are taken as they are.
    pub unverified: Option<unverified::Permission>,
    /// How many genuine callbacks it takes.
    pub limiter: Limiter,
    /// What is counted of its requests.
    pub metrics: EndpointMetrics,
    /// The provider's side of it.
    pub provider: Box<dyn Provider>,
}

impl Endpoint {
    /// The same with the addresses under which callbacks are signed for it: its own, else `fallback`.
    #[must_use]
    pub fn addressed(mut self, fallback: &PublicUrl) -> Self {
        if self.public_urls.is_empty() {
            self.public_urls = Arc::from([fallback.clone()]);
        }
        // A provider that takes them from the URL may sign them with it; without them it is tried in any case.
        let credentials = self.provider.url_credentials();
        if !credentials.is_empty() {
            let with = |url: &PublicUrl| credentials.iter().map(|pair| url.with_userinfo(pair.text())).collect::<Vec<_>>();
            self.public_urls = self.public_urls.iter().flat_map(with).collect();
        }
        self
    }

    /// Its path on the public listener.
    pub fn path(&self) -> String {
        if self.account.is_unnamed() { self.base_path.clone() } else { format!("{}/{}", self.base_path, self.account.as_str()) }
    }

    /// The path of one of its routes.
    pub fn route_path(&self, route: &str) -> String {
        if route.is_empty() { self.path() } else { format!("{}/{route}", self.path()) }
    }

    /// The paths of all its routes, its own first.
    pub fn paths(&self) -> impl Iterator<Item = (String, &'static str)> {
        std::iter::once(&"").chain(self.spec.routes).map(|route| (self.route_path(route), *route))
    }

    /// What a token at the end of the URL grants; nothing if it is not one of this endpoint's.
    pub fn grant(&self, token: &str) -> Option<url_token::Grant> {
        url_token::find(self.provider.url_tokens(), token)
    }

    /// Whether a callback may come from its client's address.
    pub fn allows(&self, head: &Callback) -> bool {
        let networks = self.provider.allowed_ips();
        networks.is_empty() || ip::is_allowed(head, networks)
    }

    /// Whether a request with this head may turn out to be genuine once its body is read.
    pub fn may_be_genuine(&self, head: &Callback) -> bool {
        self.unverified.is_some() || head.url_token.is_some() || self.provider.may_be_genuine(head)
    }

    /// Proves that the callback is genuine.
    pub fn verify<'c>(&self, callback: &'c Callback) -> Result<VerifiedCallback<'c>, Rejected> {
        let proof = match self.unverified {
            Some(permission) => permission.prove(callback),
            None => self.provider.verify(callback),
        };
        proof.map(VerifiedCallback::from)
    }

    /// Reads the events out of a proven callback.
    pub fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable> {
        self.provider.parse(callback)
    }

    /// In what form the callback is answered.
    pub fn reply(&self, callback: &VerifiedCallback<'_>) -> Reply {
        self.provider.reply(callback)
    }

    /// Takes a place for a genuine callback.
    pub fn admit(&self, callback: &VerifiedCallback<'_>) -> Result<Admission<'_>, Limited> {
        self.limiter.admit(callback.received_at)
    }

    /// A request to this endpoint, not signed yet.
    pub fn outgoing(&self, method: &str, target: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Outgoing {
        let content_type = (!content_type.is_empty()).then(|| ("Content-Type".to_owned(), content_type.to_owned()));
        Outgoing {
            public_url: self.public_urls.first().cloned(),
            method: method.to_owned(),
            target: target.into(),
            headers: content_type.into_iter().collect(),
            body: body.into(),
            id: String::new(),
            seconds: 0,
        }
    }

    /// Adds what makes a request genuine for this endpoint.
    pub fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        self.provider.sign(scheme, outgoing);
    }

    /// The URLs to paste at the provider, one per route; where a secret belongs, the variable that holds it. `fallback` is the
    /// address without a configured one.
    pub fn urls_to_paste(&self, fallback: &PublicUrl) -> Vec<String> {
        let origin = self.public_urls.first().unwrap_or(fallback).to_string();
        let InUrl { credentials, token, secret } = self.provider.in_url();
        let if_there = |is_there: bool, text: String| if is_there { text } else { String::new() };
        let credentials = if_there(credentials, format!("${{{}}}@", self.variable("BASIC_AUTH")));
        let origin = origin.replacen("://", &format!("://{credentials}"), 1);
        let token = if_there(token, format!("{}${{{}}}", url_token::SEGMENT, self.variable("URL_TOKEN")));
        let secret = if_there(secret, format!("?{}=${{{}}}", url_secret::PARAMETER, self.variable("WEBHOOK_SECRET")));
        self.paths().map(|(path, _)| format!("{origin}{path}{token}{secret}{}", self.spec.url_suffix)).collect()
    }

    /// The variable of a setting of this account.
    pub fn variable(&self, setting: &str) -> String {
        let account = if self.account.is_unnamed() { "_".to_owned() } else { format!("__{}__", self.account.variable()) };
        format!("{}{account}{setting}", self.spec.prefix())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.spec.name, self.account.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names() {
        assert_eq!("ACME_EU2".parse::<Account>().map(|account| account.as_str().to_owned()), Ok("acme-eu2".to_owned()));
        for wrong in ["", "DEFAULT", "SWML", "T", "acme", "A-B", "Ä", &"A".repeat(65)] {
            assert_eq!(wrong.parse::<Account>(), Err(NotAnAccount), "{wrong}");
        }
    }
}
