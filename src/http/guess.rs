//! A credential that a client of either listener sends, counted if it is wrong.

use std::net::IpAddr;

use actix_web::HttpRequest;

use super::client_address::client_address;
use crate::{gateway::Gateway, limiter::RateLimited, time::Timestamp};

/// A credential of a request, before it is compared.
pub(super) struct Guess<'g> {
    gateway: &'g Gateway,
    client: Option<IpAddr>,
    now: Timestamp,
}

impl<'g> Guess<'g> {
    pub(super) fn new(request: &HttpRequest, gateway: &'g Gateway) -> Self {
        Self { gateway, client: client_address(request, gateway), now: gateway.clock.now() }
    }

    /// Fails if the network of the client has sent too many wrong ones; then the credential must not be compared.
    pub(super) fn check(&self) -> Result<(), RateLimited> {
        self.gateway.verifier.guesses.check(self.client, self.now)
    }

    pub(super) fn count_wrong(&self) {
        self.gateway.verifier.guesses.count(self.client, 1, self.now);
    }
}
