//! The connections of one worker by the network of their peer: a share for each network, and eviction in favor of new ones.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::IpAddr,
    rc::Rc,
};

use super::state::Connection;
use crate::{config::ConnectionLimits, network::Network};

/// Clients that count as one. Trusted proxies do, because they carry the connections of all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peers {
    Proxies,
    Network(Network),
}

/// Trusted proxies count as this many networks when connections are evicted.
const WEIGHT_OF_PROXIES: usize = 8;

pub(super) struct Registry {
    limits: ConnectionLimits,
    networks: RefCell<HashMap<Peers, Vec<Rc<Connection>>>>,
    total: Cell<usize>,
}

impl Registry {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, networks: RefCell::default(), total: Cell::new(0) }
    }

    /// Admits a connection. If there is no room, another one is evicted: of its own network if that has used up its share, otherwise of
    /// the network with most connections. `None` if all of those are being served.
    pub(super) fn admit(registry: &Rc<Self>, peer: IpAddr, is_trusted: bool) -> Option<Member> {
        let peers = if is_trusted { Peers::Proxies } else { Peers::Network(Some(peer).into()) };
        let limits = registry.limits;
        let of_peers = registry.networks.borrow().get(&peers).map_or(0, Vec::len);
        let has_room = (is_trusted || of_peers < limits.max_of_network || registry.evict_from(peers))
            && (registry.total.get() < limits.max || registry.evict());
        has_room.then(|| {
            let connection = Rc::new(Connection::new(peers, limits));
            registry.insert(&connection);
            Member { registry: Rc::clone(registry), connection }
        })
    }

    fn insert(&self, connection: &Rc<Connection>) {
        let mut networks = self.networks.borrow_mut();
        let members = networks.entry(connection.peers).or_default();
        connection.place.set(Some(members.len()));
        members.push(Rc::clone(connection));
        self.total.set(self.total.get() + 1);
    }

    fn remove(&self, connection: &Connection) {
        let Some(place) = connection.place.take() else { return };
        let mut networks = self.networks.borrow_mut();
        let Some(members) = networks.get_mut(&connection.peers) else { return };
        drop(members.swap_remove(place));
        if let Some(moved) = members.get(place) {
            moved.place.set(Some(place));
        }
        if members.is_empty() {
            networks.remove(&connection.peers);
        }
        self.total.set(self.total.get() - 1);
    }

    fn evict(&self) -> bool {
        let weight = |peers: &Peers| if *peers == Peers::Proxies { WEIGHT_OF_PROXIES } else { 1 };
        let networks = self.networks.borrow();
        let largest = networks.iter().max_by_key(|(peers, members)| members.len() / weight(peers)).map(|(peers, _)| *peers);
        drop(networks);
        largest.is_some_and(|peers| self.evict_from(peers))
    }

    /// Evicts the connection that has waited longest without a complete request.
    fn evict_from(&self, peers: Peers) -> bool {
        let networks = self.networks.borrow();
        let members = networks.get(&peers).into_iter().flatten();
        let ranked = members.filter_map(|connection| Some((connection.eviction_rank()?, connection)));
        let victim = ranked.min_by_key(|(rank, _)| *rank).map(|(_, connection)| Rc::clone(connection));
        drop(networks);
        victim
            .inspect(|connection| {
                self.remove(connection);
                connection.evict();
            })
            .is_some()
    }
}

/// The place of a connection in the registry, until it is dropped.
pub(super) struct Member {
    registry: Rc<Registry>,
    connection: Rc<Connection>,
}

impl Member {
    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.registry.remove(&self.connection);
    }
}
