//! Limits on guessed credentials: on the wrong ones that a network sends in a minute.
//!
//! A limit that refuses every credential locks out honest clients beside an attacker, and one that admits the right credential limits no
//! guesses. The length of the configured credential decides (`secret::is_long`):
//!
//! - One of 32 characters or more is always compared. Beyond the limit only the response to a wrong one changes. As hexadecimal digits
//!   it has 128 bits, and no rate at which a client can send requests is of any use against it.
//! - A shorter one may be a password that a person made up. Beyond the limit it is not compared, so that it cannot be guessed. Then the
//!   clients of the attacker's network wait, at the place of the guesses only: each endpoint is one, and so is each kind of credential of
//!   the operations listener.
//!
//! If all clients share an address, because the proxy in front is not named in `TRUSTED_PROXIES`, anyone could lock out everyone. Then
//! short ones are compared beyond the limit as well.

use std::net::IpAddr;

use crate::{
    current::Current, forwarded::TrustedProxies, limiter::RateLimited, log_throttle::LogThrottle,
    network_limiter::FailureLimiter, time::Timestamp,
};

/// Wrong credentials that a network may send to one place in a minute.
pub const GUESSES_PER_MINUTE: u64 = 20;

/// Headers that show a proxy.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// The limits of the places that are no endpoint's.
pub struct Guesses {
    /// Tokens in URLs, before their endpoint is known.
    pub url_tokens: FailureLimiter,
    /// Bearer tokens of the operations listener, which no page can send for a browser.
    pub bearer: FailureLimiter,
    /// Passwords of the operations listener.
    pub passwords: FailureLimiter,
    /// Passwords of links on other sites, which a page can make a browser send.
    pub links: FailureLimiter,
    proxies: Current<TrustedProxies>,
    shared: LogThrottle,
}

/// The network of a client is over the limit.
#[derive(Clone, Copy, Debug)]
pub struct OverLimit {
    pub limited: RateLimited,
    /// True if it is the network of all clients, so that short credentials are compared all the same.
    pub compares_short: bool,
}

impl Guesses {
    /// With a limit; 0 = none.
    pub fn new(per_minute: u64, proxies: Current<TrustedProxies>) -> Self {
        let [url_tokens, bearer, passwords, links] = [per_minute; 4].map(FailureLimiter::new);
        Self { url_tokens, bearer, passwords, links, proxies, shared: LogThrottle::default() }
    }

    /// Fails if the network of a client has no room for another wrong credential at a place.
    pub fn check(
        &self,
        place: &FailureLimiter,
        client: Option<IpAddr>,
        has_header: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<(), OverLimit> {
        if place.has_no_recent_failure(now) {
            return Ok(());
        }
        let client = self.known(client, has_header);
        let compares_short = client.is_none();
        place.check(client, now).map_err(|limited| OverLimit { limited, compares_short }).inspect_err(|_| {
            if compares_short && let Some(count) = self.shared.count() {
                tracing::warn!(
                    count,
                    "the wrong credentials of one client count for all: name the proxy in front in TRUSTED_PROXIES, and let it set \
                     the header of CLIENT_IP_HEADER; logged at most once a minute"
                );
            }
        })
    }

    /// Counts a wrong credential at a place.
    pub fn count(&self, place: &FailureLimiter, client: Option<IpAddr>, has_header: impl Fn(&str) -> bool, now: Timestamp) {
        place.count(self.known(client, has_header), 1, now);
    }

    /// The address of a client; `None` if it is unknown, or that of a proxy.
    fn known(&self, client: Option<IpAddr>, has_header: impl Fn(&str) -> bool) -> Option<IpAddr> {
        let client = client?;
        let proxies = self.proxies.get();
        let may_be_proxy = if proxies.networks.is_empty() { is_private(client) } else { proxies.trusts(client) };
        let is_proxy = may_be_proxy && FORWARDED.into_iter().any(has_header);
        (!is_proxy).then_some(client)
    }
}

/// True for an address of this machine or of a network of its own, where a proxy may be.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_an_unnamed_proxy_is_no_client() {
        let networks = vec!["127.0.0.1/32".parse().expect("a network")];
        let [unset, set] = [Vec::new(), networks]
            .map(|networks| Guesses::new(1, Current::new(TrustedProxies { networks, ..TrustedProxies::default() })));
        for (guesses, client, header, is_known) in [
            (&unset, "127.0.0.1", "x-forwarded-for", false),
            (&unset, "172.17.0.1", "via", false),
            (&unset, "fd00::1", "forwarded", false),
            (&unset, "10.0.0.9", "x-real-ip", false),
            (&unset, "127.0.0.1", "host", true),
            (&unset, "203.0.113.9", "x-forwarded-for", true),
            (&set, "127.0.0.1", "x-forwarded-for", false),
            (&set, "127.0.0.1", "host", true),
            (&set, "10.0.0.9", "x-forwarded-for", true),
            (&set, "203.0.113.9", "x-forwarded-for", true),
            (&set, "unknown", "host", false),
        ] {
            let known = guesses.known(client.parse().ok(), |name| name == header);
            assert_eq!(known.is_some(), is_known, "{client} {header}");
        }
    }
}
