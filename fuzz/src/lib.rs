//! Shared by the fuzz targets: endpoints of every provider, and the requests that an input describes.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    providers,
    public_url::PublicUrl,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

/// The request of the tests, for the pieces of them in `forgery`.
pub mod case {
    use waybill::signature::Outgoing;

    #[derive(Clone, PartialEq, Eq)]
    pub struct TestRequest {
        pub method: String,
        pub target: String,
        pub headers: Vec<(String, String)>,
        pub body: Vec<u8>,
    }

    impl From<Outgoing> for TestRequest {
        fn from(Outgoing { method, target, headers, body, .. }: Outgoing) -> Self {
            Self { method, target, headers, body }
        }
    }
}

#[allow(dead_code, reason = "the tests use the rest")]
mod forgery;
#[allow(dead_code, reason = "the tests use the rest")]
mod support;

pub mod binding;

pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// The instant of every request.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant")
}

/// An account at each provider, with all of its proofs.
pub fn variables() -> Vec<(String, String)> {
    // No two bytes are equal: a repetition would be refused as a secret that can be guessed.
    let random = std::array::from_fn(|place| (place as u8).wrapping_mul(37).wrapping_add(11));
    providers::ALL.iter().flat_map(|spec| spec.generate_variables("_", &random)).collect()
}

/// The endpoints of these accounts.
pub static ENDPOINTS: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let env: Env = variables().into_iter().chain([("WEBHOOK_BASE_URL".to_owned(), PUBLIC_URL.to_owned())]).collect();
    let url: PublicUrl = PUBLIC_URL.parse().expect("a URL");
    let config = Config::load(&env).expect("a configuration").config;
    config.endpoints.into_iter().map(|endpoint| endpoint.build().with_public_urls(&url)).collect()
});

/// A request that an input describes: a line `provider scheme type query`, and the body.
pub struct Described {
    pub endpoint: &'static Endpoint,
    pub scheme: &'static Scheme,
    pub outgoing: Outgoing,
}

/// The media types that an input can name, by their first letter.
const TYPES: [(u8, &str); 4] =
    [(b'f', "application/x-www-form-urlencoded"), (b'j', "application/json"), (b't', "text/plain"), (b'-', "")];

impl Described {
    /// Of the three bytes before the query, the first two select the provider and the scheme.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (line, body) = data.split_at(data.iter().position(|byte| *byte == b'\n')?);
        let ([provider, scheme, kind], query) = line.split_first_chunk::<3>()?;
        let endpoint = &ENDPOINTS[usize::from(*provider) % ENDPOINTS.len()];
        let scheme = endpoint.spec.schemes[usize::from(*scheme) % endpoint.spec.schemes.len()];
        let content_type = TYPES.iter().find(|(letter, _)| letter == kind).map_or("application/json", |(_, name)| name);
        let query = String::from_utf8_lossy(query);
        let target = if query.is_empty() { endpoint.path() } else { format!("{}?{query}", endpoint.path()) };
        let body = &body[1..];
        let method = if body.is_empty() && endpoint.spec.methods.contains(&"GET") { "GET" } else { "POST" };
        let mut outgoing = endpoint.outgoing(method, target, content_type, body);
        outgoing.id = "msg_fuzzed".to_owned();
        outgoing.seconds = now().seconds();
        Some(Self { endpoint, scheme, outgoing })
    }

    /// Signed as the provider signs it.
    pub fn signed(&self) -> Outgoing {
        let mut outgoing = self.outgoing.clone();
        self.endpoint.sign(self.scheme, &mut outgoing);
        outgoing
    }
}

/// The callback of a request, as the listener makes it.
pub fn callback(endpoint: &Endpoint, outgoing: Outgoing) -> Callback {
    let path = outgoing.target.split('?').next().unwrap_or_default();
    let url_token = path.rsplit_once("/t/").and_then(|(_, token)| endpoint.grant(token));
    Callback {
        method: outgoing.method,
        target: outgoing.target,
        route: "",
        url_token,
        client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: outgoing.headers.into_iter().collect(),
        body: Bytes::from(outgoing.body),
        received_at: now(),
    }
}
