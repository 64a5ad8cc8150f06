//! The shares of a minute in which rejected requests are examined and stored: of a network, of an endpoint, and of all together, so that
//! neither one network nor a flood at one endpoint leaves no room for others.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use crate::{
    current::Current,
    network_limiter::{MinuteLimiter, NetworkLimiter},
    router::Router,
    time::Timestamp,
};

/// Examinations by the doctor in a minute. An IPv6 /48 has four shares of a network.
const EXAMINED: Limits = Limits { network: 6, endpoint: 30, all: 60 };

/// Bytes that are stored in a minute.
const STORED: Limits = Limits { network: 128 << 10, endpoint: 1 << 20, all: 2 << 20 };

/// Bytes of a stored row beside its values.
const ROW: usize = 1 << 10;

struct Limits {
    network: u64,
    endpoint: u64,
    all: u64,
}

/// The shares of this minute.
pub(super) struct Shares {
    examined: Shared,
    stored: Shared,
}

impl Shares {
    /// Shares of the endpoints of a router. Without limits, every request is examined and stored.
    pub(super) fn new(router: &Router, is_limited: bool) -> Self {
        let shared = |limits: &Limits| {
            let limit = |limit: u64| if is_limited { limit } else { 0 };
            let endpoint = limit(limits.endpoint);
            Shared {
                by_network: NetworkLimiter::new(limit(limits.network)),
                endpoint,
                by_endpoint: Current::new(by_endpoint(router, endpoint, &ByEndpoint::new())),
                all: MinuteLimiter::new(limit(limits.all)),
            }
        };
        Self { examined: shared(&EXAMINED), stored: shared(&STORED) }
    }

    /// Follows a reload to the endpoints of another router. Those that stay keep their counts.
    pub(super) fn follow(&self, router: &Router) {
        for shared in [&self.examined, &self.stored] {
            shared.by_endpoint.replace(by_endpoint(router, shared.endpoint, &shared.by_endpoint.get()));
        }
    }

    /// True if one more request may be examined.
    pub(super) fn may_examine(&self, path: &str, client: Option<IpAddr>, now: Timestamp) -> bool {
        self.examined.charge(path, client, 1, now)
    }

    /// True if that many bytes more may be stored, in a row of their own.
    pub(super) fn may_store(&self, path: &str, client: Option<IpAddr>, bytes: usize, now: Timestamp) -> bool {
        self.stored.charge(path, client, u64::try_from(bytes + ROW).unwrap_or(u64::MAX), now)
    }
}

/// A limiter for each endpoint, by its path.
type ByEndpoint = HashMap<String, Arc<MinuteLimiter>>;

fn by_endpoint(router: &Router, limit: u64, known: &ByEndpoint) -> ByEndpoint {
    let limiter = |path: &String| known.get(path).map_or_else(|| Arc::new(MinuteLimiter::new(limit)), Arc::clone);
    router.iter().map(|endpoint| endpoint.path()).map(|path| (path.clone(), limiter(&path))).collect()
}

struct Shared {
    by_network: NetworkLimiter,
    /// The limit of each endpoint.
    endpoint: u64,
    by_endpoint: Current<ByEndpoint>,
    all: MinuteLimiter,
}

impl Shared {
    /// The network first, so that one without room takes none from others.
    fn charge(&self, path: &str, client: Option<IpAddr>, cost: u64, now: Timestamp) -> bool {
        self.by_network.charge(client, cost, now).is_ok()
            && self.by_endpoint.get().get(path).is_none_or(|endpoint| endpoint.charge(cost, now).is_ok())
            && self.all.charge(cost, now).is_ok()
    }
}
