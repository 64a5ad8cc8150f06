//! The endpoints of a gateway, by path and by name.

use std::{collections::HashMap, sync::Arc};

use crate::{
    current::Current,
    endpoint::{Account, Endpoint},
    public_url::PublicUrl,
    url_token::{self, Grant},
};

/// The path of the health check on the public listener, which no endpoint may have.
pub const HEALTH_PATH: &str = "/webhooks/health";

/// The router of this moment: a reload replaces it. A request in progress keeps the one that it began with.
pub type CurrentRouter = Current<Router>;

/// The configured endpoints, ready for requests.
pub struct Router {
    all: Vec<Arc<Endpoint>>,
    /// For each provider with named accounts an endpoint that answers for those that do not exist, so that names cannot be guessed. Its
    /// secrets are random.
    unknown: Vec<Arc<Endpoint>>,
    /// The endpoint's index and the route's name, by path.
    routes: HashMap<String, (usize, &'static str)>,
    /// The public listener's own address.
    listener: PublicUrl,
}

/// The endpoint and route of a path.
#[derive(Clone, Copy)]
pub struct Route<'e> {
    pub endpoint: &'e Arc<Endpoint>,
    /// The name of the route; empty for the endpoint's own.
    pub route: &'static str,
    /// The grant of the token in the path, if there is one.
    pub url_token: Option<Grant>,
}

impl Router {
    /// Endpoints without a public address of their own get the listener's.
    pub fn new(endpoints: Vec<Endpoint>, listener: PublicUrl) -> Self {
        let all = with_public_urls(endpoints, &listener);
        let routes = all.iter().enumerate();
        let routes = routes.flat_map(|(place, endpoint)| endpoint.paths().map(move |(path, route)| (path, (place, route))));
        Self { routes: routes.collect(), all, unknown: Vec::new(), listener }
    }

    /// Adds the endpoints that answer for unknown accounts.
    #[must_use]
    pub fn with_unknown_accounts(mut self, endpoints: Vec<Endpoint>) -> Self {
        self.unknown = with_public_urls(endpoints, &self.listener);
        self
    }

    /// The route of a path, byte for byte. With a wrong token at its end the path is unknown.
    pub fn route(&self, path: &str) -> Option<Route<'_>> {
        if let Some(route) = self.route_without_token(path) {
            return Some(route);
        }
        let Some((path, token)) = path.rsplit_once(url_token::SEGMENT) else { return self.unknown_account(path) };
        let route = self.route_without_token(path)?;
        let url_token = Some(route.endpoint.grant(token)?);
        Some(Route { url_token, ..route })
    }

    /// The route of an account that does not exist, at a provider with named accounts.
    fn unknown_account(&self, path: &str) -> Option<Route<'_>> {
        self.unknown.iter().find_map(|endpoint| {
            let below = path.strip_prefix(endpoint.base_path.as_str())?.strip_prefix('/')?;
            let (account, route) = match below.split_once('/') {
                None => (below, ""),
                Some((account, route)) => (account, *endpoint.spec.routes.iter().find(|known| **known == route)?),
            };
            Account::may_be_named(account).then_some(Route { endpoint, route, url_token: None })
        })
    }

    /// The route of a path without a token at its end.
    pub fn route_without_token(&self, path: &str) -> Option<Route<'_>> {
        let &(place, route) = self.routes.get(path)?;
        Some(Route { endpoint: self.all.get(place)?, route, url_token: None })
    }

    /// The endpoint of a path, byte for byte.
    pub fn endpoint_at(&self, path: &str) -> Option<&Arc<Endpoint>> {
        self.route_without_token(path).filter(|route| route.route.is_empty()).map(|route| route.endpoint)
    }

    /// The endpoint of that provider and account.
    pub fn find(&self, provider: &str, account: &str) -> Option<&Endpoint> {
        self.iter().find(|endpoint| endpoint.spec.name == provider && endpoint.account.as_str() == account)
    }

    /// The endpoint that answers for unknown accounts of a provider.
    pub fn unknown_of(&self, provider: &str) -> Option<&Endpoint> {
        self.unknown.iter().map(AsRef::as_ref).find(|endpoint| endpoint.spec.name == provider)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.all.iter().map(Arc::as_ref)
    }

    /// The public listener's own address.
    pub fn listener(&self) -> &PublicUrl {
        &self.listener
    }
}

fn with_public_urls(endpoints: Vec<Endpoint>, listener: &PublicUrl) -> Vec<Arc<Endpoint>> {
    endpoints.into_iter().map(|endpoint| Arc::new(endpoint.with_public_urls(listener))).collect()
}
