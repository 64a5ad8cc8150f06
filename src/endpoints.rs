//! All endpoints of a gateway, by path and by name.

use std::collections::HashMap;

use crate::{
    endpoint::Endpoint,
    public_url::PublicUrl,
    signature::url_token::{self, Grant},
};

/// The configured endpoints, ready for requests.
pub struct Endpoints {
    by_path: HashMap<String, Endpoint>,
    /// The endpoint's path and the route's name, by the path of each route.
    routes: HashMap<String, (String, &'static str)>,
    /// The public listener's own address.
    listener: PublicUrl,
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub struct Routed<'e> {
    /// The endpoint.
    pub endpoint: &'e Endpoint,
    /// Which of its routes.
    pub route: &'static str,
    /// What the token in the path grants, if one was there.
    pub url_token: Option<Grant>,
}

impl Endpoints {
    /// Takes what was configured. Endpoints without a public address of their own get the listener's.
    pub fn new(endpoints: Vec<Endpoint>, listener: PublicUrl) -> Self {
        let by_path = endpoints.into_iter().map(|endpoint| {
            let endpoint = endpoint.addressed(&listener);
            (endpoint.path(), endpoint)
        });
        let by_path: HashMap<String, Endpoint> = by_path.collect();
        let routes = by_path.values().flat_map(|endpoint| endpoint.paths().map(|(path, route)| (path, (endpoint.path(), route))));
        Self { routes: routes.collect(), by_path, listener }
    }

    /// Where a path leads, byte for byte. A wrong token at its end makes it an unknown path.
    pub fn route(&self, path: &str) -> Option<Routed<'_>> {
        if let Some(routed) = self.route_without_token(path) {
            return Some(routed);
        }
        let (path, token) = path.rsplit_once(url_token::SEGMENT)?;
        let routed = self.route_without_token(path)?;
        let url_token = Some(routed.endpoint.grant(token)?);
        Some(Routed { url_token, ..routed })
    }

    /// Where a path leads that has no token at its end.
    pub fn route_without_token(&self, path: &str) -> Option<Routed<'_>> {
        let (path, route) = self.routes.get(path)?;
        Some(Routed { endpoint: self.by_path.get(path)?, route, url_token: None })
    }

    /// The endpoint whose path this is, byte for byte.
    pub fn at(&self, path: &str) -> Option<&Endpoint> {
        self.by_path.get(path)
    }

    /// The endpoint of that provider and account.
    pub fn find(&self, provider: &str, account: &str) -> Option<&Endpoint> {
        self.iter().find(|endpoint| endpoint.spec.name == provider && endpoint.account.as_str() == account)
    }

    /// All endpoints.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.by_path.values()
    }

    /// The public listener's own address.
    pub fn listener(&self) -> &PublicUrl {
        &self.listener
    }
}
