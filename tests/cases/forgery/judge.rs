//! The decision of a gateway about a request, without a connection and a store.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use bytes::Bytes;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::{Endpoint, EndpointConfig},
    event::{Effect, Event, EventType},
    public_url::PublicUrl,
    router::Router,
    signature::StoredKey,
    store::Record,
    time::Timestamp,
};

use super::fields;
use crate::case::TestRequest;

/// The endpoints of one configuration, at one instant.
pub(crate) struct Judge {
    router: Router,
    now: Timestamp,
}

/// An accepted request, as it would be stored.
#[derive(Clone)]
pub(crate) struct Accepted {
    pub(crate) scheme: &'static str,
    pub(crate) covers_payload: bool,
    /// The key by which copies of it are recognized.
    pub(crate) key: StoredKey,
    /// False if its only event is an unknown one without an effect, because no parser may read it.
    pub(crate) is_parsed: bool,
    /// Everything that is stored of its events, or the reason of its quarantine.
    pub(crate) fields: String,
}

impl Accepted {
    /// Returns true if the other would be a copy of it, with the same events.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.key, self.is_parsed, &self.fields) == (other.key, other.is_parsed, &other.fields)
    }
}

impl Judge {
    pub(crate) fn new(variables: Vec<(String, String)>, public_url: &str, now: Timestamp) -> Self {
        let own = ("WEBHOOK_BASE_URL".to_owned(), public_url.to_owned());
        let env: Env = variables.into_iter().chain([own]).collect();
        let config = Config::load(&env).unwrap_or_else(|problems| panic!("{problems}")).config;
        let build = |endpoints: Vec<EndpointConfig>| endpoints.into_iter().map(EndpointConfig::build).collect::<Vec<Endpoint>>();
        let listener: PublicUrl = public_url.parse().expect("a public URL");
        let router = Router::new(build(config.endpoints), listener).with_unknown_accounts(build(config.unknown_accounts));
        Self { router, now }
    }

    pub(crate) fn endpoint(&self, path: &str) -> &Endpoint {
        self.router.endpoint_at(path).expect("an endpoint of that path")
    }

    /// The request as it would be stored, if it is accepted.
    pub(crate) fn accept(&self, request: &TestRequest) -> Option<Accepted> {
        let route = self.router.route(request.target.split('?').next().unwrap_or_default())?;
        let endpoint = route.endpoint;
        let is_get_with_body = request.method == "GET" && !request.body.is_empty();
        if !endpoint.spec.methods.contains(&request.method.as_str()) || is_get_with_body {
            return None;
        }
        let callback = Callback {
            method: request.method.clone(),
            target: request.target.clone(),
            route: route.route,
            url_token: route.url_token,
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            public_urls: Arc::clone(&endpoint.public_urls),
            headers: request.headers.iter().map(|(name, value)| (name, value.as_bytes())).collect(),
            body: Bytes::from(request.body.clone()),
            received_at: self.now,
        };
        if !endpoint.allows(&callback) {
            return None;
        }
        endpoint.check_head(&callback).ok()?;
        let verified = endpoint.verify(&callback).ok()?;
        let events = endpoint.parse(&verified).events;
        let is_parsed = verified.readable().is_some() || !events.as_ref().is_ok_and(|events| are_unknown(events));
        let scheme = verified.proof().scheme();
        Some(Accepted {
            scheme: scheme.name,
            covers_payload: scheme.covers_payload,
            key: Record::key(endpoint, &verified),
            is_parsed,
            fields: events.map_or_else(|error| error.to_string(), |events| events.iter().map(fields::text).collect()),
        })
    }
}

/// One unknown event without an effect.
fn are_unknown(events: &[Event]) -> bool {
    let is_unknown = |event: &Event| event.event_type == EventType::Unknown && event.effect == Effect::None;
    events.len() == 1 && events.iter().all(is_unknown)
}
