//! Endpoints: an account at a provider, with a URL of its own.

use std::{fmt, ops::Deref, str::FromStr, sync::Arc};

use crate::{
    callback::Callback,
    event::OptOutWords,
    limiter::{Limiter, Limits},
    metrics::EndpointMetrics,
    network_limiter::FailureLimiter,
    provider::{InvalidPayload, Parsed, Provider, Spec, UrlProofs},
    public_url::PublicUrl,
    signature::{Outgoing, Scheme, Signer, VerifiedCallback, VerifyError, Work, ip, unverified, url_secret},
    url_token,
};

/// The name of an account at a provider: lower case, `-` for `_`; the unnamed one is `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account(String);

/// Names that are reserved for paths.
const RESERVED: [&str; 3] = [Account::UNNAMED, "swml", "t"];

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account name has at most 64 characters of A-Z, 0-9 and _, and is not DEFAULT, SWML or T")]
pub struct AccountError;

impl Account {
    /// The name of the unnamed account in the store.
    pub const UNNAMED: &'static str = "default";

    pub fn unnamed() -> Self {
        Self(Self::UNNAMED.to_owned())
    }

    /// The account of requests to accounts that do not exist. No path has its name.
    pub fn unknown() -> Self {
        Self("?".to_owned())
    }

    /// Returns true if the name in a path could be an account's.
    pub fn may_be_named(name: &str) -> bool {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        is_plain && Self::from_str(&name.to_uppercase().replace('-', "_")).is_ok()
    }

    /// The name in paths and in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in variables.
    pub fn variable(&self) -> String {
        self.0.to_uppercase().replace('-', "_")
    }

    pub fn is_unnamed(&self) -> bool {
        self.0 == Self::UNNAMED
    }
}

impl FromStr for Account {
    type Err = AccountError;

    /// Parses the spelling in variables.
    fn from_str(variable: &str) -> Result<Self, AccountError> {
        let plain = variable.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let name = variable.to_lowercase().replace('_', "-");
        let fits = (1..=64).contains(&name.len());
        if plain && fits && !RESERVED.contains(&name.as_str()) { Ok(Self(name)) } else { Err(AccountError) }
    }
}

/// The response to a callback for a message that is not registered. Its event is stored in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum UnknownMessage {
    /// 200.
    #[default]
    Accept,
    /// 404 `not_found`.
    NotFound,
}

/// The configuration of an endpoint.
pub struct EndpointConfig {
    pub spec: &'static Spec,
    pub account: Account,
    /// The path of the provider's unnamed account on the public listener.
    pub base_path: String,
    /// The public URLs of the gateway for this endpoint; the first is canonical.
    pub public_urls: Arc<[PublicUrl]>,
    pub invalid_payload: InvalidPayload,
    pub unknown_message: UnknownMessage,
    /// True if callbacks may also refer to messages that were registered without an account, and to messages by their rows' ids. The
    /// unnamed account's always may.
    pub matches_unscoped: bool,
    /// Present only in development: callbacks are accepted without verification.
    pub unverified: Option<unverified::Permission>,
    pub limits: Limits,
    /// Opt-out words of inbound messages.
    pub opt_out_words: Arc<OptOutWords>,
    /// A hash of its settings, by which a reload detects changes.
    pub fingerprint: [u8; 32],
    pub provider: Box<dyn Provider>,
    /// Signs requests to it as the provider does, for `demo`, `simulate` and the tests.
    pub signer: Box<dyn Signer>,
}

/// An endpoint that receives callbacks: its configuration, and what it counts. After a reload it counts on under another configuration.
pub struct Endpoint {
    config: EndpointConfig,
    /// Counts new requests.
    pub limiter: Arc<Limiter>,
    /// Counts copies of known ones.
    pub copy_limiter: Arc<Limiter>,
    /// Counts wrong credentials.
    pub guesses: Arc<FailureLimiter>,
    pub metrics: Arc<EndpointMetrics>,
}

impl Deref for Endpoint {
    type Target = EndpointConfig;

    fn deref(&self) -> &EndpointConfig {
        &self.config
    }
}

impl Endpoint {
    pub fn new(config: EndpointConfig, metrics: EndpointMetrics) -> Self {
        let [limiter, copy_limiter] = [config.limits; 2].map(|limits| Arc::new(Limiter::new(limits)));
        Self { config, limiter, copy_limiter, guesses: Arc::new(FailureLimiter::new(0)), metrics: Arc::new(metrics) }
    }

    /// The endpoint under another configuration, with what it has counted.
    #[must_use]
    pub fn reconfigured(&self, config: EndpointConfig) -> Self {
        let limiter = |known: &Arc<Limiter>| {
            if config.limits == self.limits { Arc::clone(known) } else { Arc::new(known.with_limits(config.limits)) }
        };
        Self {
            limiter: limiter(&self.limiter),
            copy_limiter: limiter(&self.copy_limiter),
            guesses: Arc::clone(&self.guesses),
            metrics: Arc::clone(&self.metrics),
            config,
        }
    }

    /// Limits the wrong credentials that a network may send in a minute; 0 = no limit, as before.
    #[must_use]
    pub fn with_guess_limit(self, per_minute: u64) -> Self {
        Self { guesses: Arc::new(FailureLimiter::new(per_minute)), ..self }
    }

    /// Completes the public URLs for which callbacks are signed: its own, else `fallback`.
    #[must_use]
    pub fn with_public_urls(mut self, fallback: &PublicUrl) -> Self {
        if self.public_urls.is_empty() {
            self.config.public_urls = Arc::from([fallback.clone()]);
        }
        // A provider that takes credentials from the URL may sign them with it. URLs without them are always tried.
        let credentials = self.provider.url_credentials();
        if !credentials.is_empty() {
            let with_credentials =
                |url: &PublicUrl| credentials.iter().map(|pair| url.with_userinfo(pair.text())).collect::<Vec<_>>();
            self.config.public_urls = self.public_urls.iter().flat_map(with_credentials).collect();
        }
        self
    }

    /// Counts a verified callback, by the scheme and the secret that verified it.
    pub fn count_verified(&self, callback: &VerifiedCallback<'_>) {
        let proof = callback.proof();
        self.metrics.count_verified(proof.scheme().name, proof.secret_index(), callback.as_received().received_at);
    }
}

impl EndpointConfig {
    /// An endpoint whose counts are in no exposition.
    pub fn build(self) -> Endpoint {
        Endpoint::new(self, EndpointMetrics::default())
    }

    /// The path on the public listener.
    pub fn path(&self) -> String {
        if self.account.is_unnamed() { self.base_path.clone() } else { format!("{}/{}", self.base_path, self.account.as_str()) }
    }

    pub fn route_path(&self, route: &str) -> String {
        if route.is_empty() { self.path() } else { format!("{}/{route}", self.path()) }
    }

    /// The paths of all routes, the endpoint's own first.
    pub fn paths(&self) -> impl Iterator<Item = (String, &'static str)> {
        std::iter::once(&"").chain(self.spec.routes).map(|route| (self.route_path(route), *route))
    }

    /// The grant of a token at the end of the URL, if it is one of this endpoint's.
    pub fn grant(&self, token: &str) -> Option<url_token::Grant> {
        url_token::find(self.provider.url_tokens(), token)
    }

    /// Returns true if callbacks from the client's address are accepted.
    pub fn allows(&self, head: &Callback) -> bool {
        let networks = self.provider.allowed_ips();
        networks.is_empty() || ip::is_allowed(head, networks)
    }

    /// Fails if no request with this head can be verified.
    pub fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        if self.unverified.is_some() || head.url_token.is_some() { Ok(()) } else { self.provider.check_head(head) }
    }

    pub fn verify<'c>(&self, callback: &'c Callback) -> Result<VerifiedCallback<'c>, VerifyError> {
        self.verify_within(callback, &Work::default())
    }

    /// Verifies a callback with a limit on the work.
    pub fn verify_within<'c>(&self, callback: &'c Callback, work: &Work) -> Result<VerifiedCallback<'c>, VerifyError> {
        let proof = match self.unverified {
            Some(permission) => permission.verify(callback),
            None => self.provider.verify(callback, work),
        };
        proof.map(VerifiedCallback::from)
    }

    /// Parses a verified callback, and completes its events with what does not depend on the provider. One that no parser may read is
    /// stored as an unknown event.
    pub fn parse(&self, callback: &VerifiedCallback<'_>) -> Parsed {
        let readable = callback.readable();
        let mut parsed = readable.map_or_else(Parsed::unknown, |readable| self.provider.parse(readable));
        for event in parsed.events.iter_mut().flatten() {
            event.on_receipt(callback.as_received().received_at, &self.opt_out_words);
        }
        parsed
    }

    /// An unsigned request to this endpoint.
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

    /// Signs a request as the provider does.
    pub fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        self.signer.sign(scheme, outgoing);
    }

    /// The URLs to paste at the provider, one per route, with the variables of secrets in their places. `fallback` is used if no public
    /// URL is configured.
    pub fn urls_to_paste(&self, fallback: &PublicUrl) -> Vec<String> {
        let origin = self.public_urls.first().unwrap_or(fallback).to_string();
        let UrlProofs { credentials, token, secret } = self.provider.url_proofs();
        let text_if = |is_present: bool, text: String| if is_present { text } else { String::new() };
        let credentials = text_if(credentials, format!("${{{}}}@", self.variable("BASIC_AUTH")));
        let origin = origin.replacen("://", &format!("://{credentials}"), 1);
        let token = text_if(token, format!("{}${{{}}}", url_token::SEGMENT, self.variable("URL_TOKEN")));
        let secret = text_if(secret, format!("?{}=${{{}}}", url_secret::PARAMETER, self.variable("WEBHOOK_SECRET")));
        self.paths().map(|(path, _)| format!("{origin}{path}{token}{secret}{}", self.spec.url_suffix)).collect()
    }

    /// The variable of a setting for this account.
    pub fn variable(&self, setting: &str) -> String {
        let account = if self.account.is_unnamed() { "_".to_owned() } else { format!("__{}__", self.account.variable()) };
        format!("{}{account}{setting}", self.spec.prefix())
    }
}

/// The name only: the provider and the signer have secrets.
impl fmt::Debug for EndpointConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.spec.name, self.account.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_are_checked() {
        assert_eq!("ACME_EU2".parse::<Account>().map(|account| account.as_str().to_owned()), Ok("acme-eu2".to_owned()));
        for wrong in ["", "DEFAULT", "SWML", "T", "acme", "A-B", "Ä", &"A".repeat(65)] {
            assert_eq!(wrong.parse::<Account>(), Err(AccountError), "{wrong}");
        }
    }
}
