//! The memory for bodies in progress: a share for each network, a least rate, and eviction of the slowest.
//!
//! A body that arrives with its head takes part in the total only, which is one atomic addition. All others are listed until their
//! request is answered. When there is no room for more bytes, the slowest body that is still arriving gives way: of the same network if
//! that has used up its share, otherwise of the network with most bytes.
//!
//! Memory is counted when it is reserved, which may be ahead of the bytes. The rate counts what has arrived.

use std::{
    cell::Cell,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use crate::{config::BodyLimits, network::Network};

/// Added to a body when rates are compared, so that one that has just begun is not the slowest.
const START_KIB: u128 = 16;

pub struct BodyRoom {
    limits: BodyLimits,
    /// KiB in use, by all bodies.
    used: AtomicUsize,
    listed: Mutex<Listed>,
}

/// Bodies that did not arrive with their head.
#[derive(Default)]
struct Listed {
    next: u64,
    bodies: HashMap<u64, Body>,
    /// KiB in use.
    networks: HashMap<Network, usize>,
}

struct Body {
    network: Network,
    /// KiB of memory, which count in the total and in the share.
    reserved: usize,
    /// KiB that have arrived, which count in the rate.
    received: usize,
    started: Instant,
    is_complete: bool,
    task: Option<Waker>,
}

impl Body {
    /// KiB in a second, for comparison.
    fn rate(&self) -> u128 {
        let kib = u128::try_from(self.received).unwrap_or(u128::MAX);
        kib.saturating_add(START_KIB) * 1_000_000_000 / (self.started.elapsed().as_micros() + 1)
    }
}

/// No room for more bytes, or the body was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl BodyRoom {
    pub fn new(limits: BodyLimits) -> Self {
        Self { limits, used: AtomicUsize::new(0), listed: Mutex::default() }
    }

    /// The room of one body, which has no bytes yet.
    pub fn permit(&self, client: Option<IpAddr>) -> BodyPermit<'_> {
        BodyPermit { room: self, client, reserved: Cell::new(0), received: Cell::new(0), listed: Cell::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, kib: usize) -> bool {
        let has_room = self.used.fetch_add(kib, Ordering::Relaxed) + kib <= self.limits.max_kib;
        if !has_room {
            self.give_back(kib);
        }
        has_room
    }

    fn give_back(&self, kib: usize) {
        self.used.fetch_sub(kib, Ordering::Relaxed);
    }

    /// Takes room from the total, in place of others if need be.
    fn take_or_evict(&self, kib: usize, listed: &mut Listed) -> Result<(), NoRoom> {
        while !self.take(kib) {
            let largest = listed.networks.iter().max_by_key(|(_, kib)| **kib).map(|(network, _)| *network);
            let evicted = listed.evict_slowest(largest).or_else(|| listed.evict_slowest(None)).ok_or(NoRoom)?;
            self.give_back(evicted);
        }
        Ok(())
    }

    fn grow(&self, id: Option<u64>, kib: usize) -> Result<(), NoRoom> {
        let Some(id) = id else {
            return if self.take(kib) { Ok(()) } else { self.take_or_evict(kib, &mut self.lock()) };
        };
        let mut listed = self.lock();
        let listed = &mut *listed;
        let network = listed.bodies.get(&id).ok_or(NoRoom)?.network;
        while listed.networks.get(&network).copied().unwrap_or(0) + kib > self.limits.max_kib_of_network {
            self.give_back(listed.evict_slowest(Some(network)).ok_or(NoRoom)?);
        }
        // It may have evicted itself.
        if !listed.bodies.contains_key(&id) {
            return Err(NoRoom);
        }
        self.take_or_evict(kib, listed)?;
        let Some(body) = listed.bodies.get_mut(&id) else {
            self.give_back(kib);
            return Err(NoRoom);
        };
        body.reserved += kib;
        *listed.networks.entry(network).or_default() += kib;
        Ok(())
    }
}

impl Listed {
    /// Evicts the slowest arriving body, of one network or of all. Returns its KiB.
    fn evict_slowest(&mut self, network: Option<Network>) -> Option<usize> {
        let arriving = self.bodies.iter().filter(|(_, body)| !body.is_complete && network.is_none_or(|one| one == body.network));
        let slowest = arriving.min_by_key(|(_, body)| body.rate()).map(|(id, _)| *id)?;
        let body = self.remove(slowest)?;
        if let Some(task) = body.task {
            task.wake();
        }
        Some(body.reserved)
    }

    fn remove(&mut self, id: u64) -> Option<Body> {
        let body = self.bodies.remove(&id)?;
        if let Some(kib) = self.networks.get_mut(&body.network) {
            *kib -= body.reserved;
            if *kib == 0 {
                self.networks.remove(&body.network);
            }
        }
        Some(body)
    }
}

/// The room of one body. It is given back when this is dropped, or when the body is evicted.
pub struct BodyPermit<'r> {
    room: &'r BodyRoom,
    client: Option<IpAddr>,
    /// KiB of memory.
    reserved: Cell<usize>,
    /// KiB that have arrived.
    received: Cell<usize>,
    /// Its number and its start, once it is listed.
    listed: Cell<Option<(u64, Instant)>>,
}

impl BodyPermit<'_> {
    /// The client whose body it is.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Counts the bytes that have arrived, and takes room for their memory. Each is rounded up once for all parts of the body, so that
    /// tiny ones use no more than their bytes.
    pub fn grow(&self, received: usize, memory: usize) -> Result<(), NoRoom> {
        let received = received.div_ceil(1024);
        if received > self.received.replace(received)
            && let Some((id, _)) = self.listed.get()
            && let Some(body) = self.room.lock().bodies.get_mut(&id)
        {
            body.received = received;
        }
        let more = memory.div_ceil(1024).saturating_sub(self.reserved.get());
        if more > 0 {
            self.room.grow(self.listed.get().map(|(id, _)| id), more)?;
            self.reserved.set(self.reserved.get() + more);
        }
        Ok(())
    }

    /// Lists a body that did not arrive with its head.
    pub fn list(&self) {
        let mut listed = self.room.lock();
        let (id, started, network) = (listed.next, Instant::now(), Network::from(self.client));
        listed.next += 1;
        let (reserved, received) = (self.reserved.get(), self.received.get());
        listed.bodies.insert(id, Body { network, reserved, received, started, is_complete: false, task: None });
        *listed.networks.entry(network).or_default() += reserved;
        self.listed.set(Some((id, started)));
    }

    /// The time until which a listed body may stay as it is: its deadline, or earlier if it is slower than the least rate.
    pub fn deadline(&self) -> Option<Instant> {
        let BodyLimits { time, grace, kib_per_second, .. } = self.room.limits;
        let (_, started) = self.listed.get()?;
        let kib = u32::try_from(self.received.get()).unwrap_or(u32::MAX);
        Some(started + time.min(grace + Duration::from_secs(1) * kib / kib_per_second.max(1)))
    }

    /// True if the body was evicted. Otherwise the task is woken when it is.
    pub fn is_evicted(&self, task: &Waker) -> bool {
        let Some((id, _)) = self.listed.get() else { return false };
        let mut listed = self.room.lock();
        let Some(body) = listed.bodies.get_mut(&id) else { return true };
        if !body.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            body.task = Some(task.clone());
        }
        false
    }

    /// The body is complete, and is not evicted any more.
    pub fn complete(&self) {
        if let Some((id, _)) = self.listed.get()
            && let Some(body) = self.room.lock().bodies.get_mut(&id)
        {
            body.is_complete = true;
        }
    }
}

impl Drop for BodyPermit<'_> {
    fn drop(&mut self) {
        let kib = match self.listed.get() {
            None => self.reserved.get(),
            Some((id, _)) => self.room.lock().remove(id).map_or(0, |body| body.reserved),
        };
        self.room.give_back(kib);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> BodyRoom {
        BodyRoom::new(BodyLimits { max_kib: 100, max_kib_of_network: 50, ..BodyLimits::default() })
    }

    fn listed<'r>(room: &'r BodyRoom, client: &str, kib: usize, seconds: u64) -> BodyPermit<'r> {
        in_memory(room, client, (kib, kib), seconds)
    }

    /// A body that began so many seconds ago, with the KiB that have arrived and those of its memory.
    fn in_memory<'r>(room: &'r BodyRoom, client: &str, (received, memory): (usize, usize), seconds: u64) -> BodyPermit<'r> {
        let permit = room.permit(client.parse().ok());
        permit.list();
        let (id, started) = permit.listed.get().expect("listed");
        room.lock().bodies.get_mut(&id).expect("listed").started =
            started.checked_sub(Duration::from_secs(seconds)).expect("an instant");
        permit.grow(received << 10, memory << 10).expect("room");
        permit
    }

    fn is_evicted(permit: &BodyPermit<'_>) -> bool {
        permit.is_evicted(Waker::noop())
    }

    #[test]
    fn slowest_of_the_network_gives_way_within_its_share() {
        let room = room();
        let other = listed(&room, "192.0.2.1", 1, 9);
        let slow = listed(&room, "203.0.113.1", 10, 2);
        let fast = listed(&room, "203.0.113.2", 40, 2);
        let new = listed(&room, "203.0.113.3", 5, 0);
        assert_eq!([&other, &slow, &fast, &new].map(is_evicted), [false, true, false, false]);
        assert_eq!(slow.grow(11 << 10, 11 << 10), Err(NoRoom));
        drop((other, slow, fast, new));
        assert_eq!(room.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn memory_makes_no_body_fast() {
        let room = room();
        let stalled = in_memory(&room, "203.0.113.1", (10, 20), 2);
        let honest = [listed(&room, "203.0.113.2", 15, 2), listed(&room, "203.0.113.3", 14, 2)];
        let new = listed(&room, "203.0.113.4", 2, 0);
        assert!(is_evicted(&stalled) && honest.iter().chain([&new]).all(|permit| !is_evicted(permit)));
    }

    #[test]
    fn network_with_most_bytes_gives_way_when_the_room_is_full() {
        let room = room();
        let honest = listed(&room, "192.0.2.1", 10, 9);
        let flood = [listed(&room, "203.0.113.1", 24, 1), listed(&room, "203.0.113.2", 25, 2)];
        let rest = [listed(&room, "198.51.100.1", 20, 9), listed(&room, "198.51.101.1", 20, 9)];
        let new = room.permit("192.0.3.1".parse().ok());
        assert_eq!(new.grow(3 << 10, 3 << 10), Ok(()), "a body that arrives with its head");
        assert!(!is_evicted(&honest) && rest.iter().all(|permit| !is_evicted(permit)));
        assert_eq!(flood.iter().filter(|permit| is_evicted(permit)).count(), 1);
    }

    #[test]
    fn complete_bodies_stay() {
        let room = room();
        let complete = [listed(&room, "203.0.113.1", 50, 2), listed(&room, "203.0.112.1", 50, 2)];
        complete.iter().for_each(BodyPermit::complete);
        let new = room.permit(None);
        assert_eq!(new.grow(1, 1), Err(NoRoom));
        assert!(complete.iter().all(|permit| !is_evicted(permit)));
        drop(complete);
        assert_eq!(new.grow(1, 1), Ok(()));
    }

    #[test]
    fn deadline_follows_the_bytes() {
        let limits = BodyLimits::default();
        let room = BodyRoom::new(limits);
        let permit = room.permit(None);
        assert_eq!(permit.deadline(), None, "not listed");
        permit.list();
        let (start, kib) = (permit.deadline().expect("listed"), limits.kib_per_second as usize);
        permit.grow(kib << 10, 256 << 10).expect("room");
        assert_eq!(permit.deadline(), Some(start + Duration::from_secs(1)), "of the bytes, not of their memory");
        permit.grow(256 << 10, 256 << 10).expect("room");
        assert_eq!(permit.deadline(), Some(start + limits.time.saturating_sub(limits.grace)));
    }
}
