//! Running gateways that laws share. Each serves one law at a time and is then reset: its tables are emptied and its clock is set back.

use std::{
    ops::Deref,
    sync::{Mutex, MutexGuard},
    thread,
};

use waybill::time::Timestamp;

use crate::support::{
    database::{Backend, Database},
    gateway::Gateway,
};

/// Trials run in the order of their settings, so few gateways are needed again. Each has a dozen threads and four connections.
const MAX_IDLE: usize = 6;

/// Gateways that no law uses, the most recently used last.
static IDLE: Mutex<Vec<(Setup, Gateway)>> = Mutex::new(Vec::new());

/// Settings of a gateway. Laws at another time use another gateway, so that its background work does not treat their rows as old.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) backend: Backend,
    pub(crate) now: Timestamp,
    pub(crate) variables: Vec<(String, String)>,
}

/// A gateway in exclusive use.
pub(crate) struct Lease {
    setup: Setup,
    gateway: Option<Gateway>,
}

/// A gateway with empty tables.
pub(crate) fn lease(setup: Setup) -> Lease {
    let idle = {
        let mut all = idle();
        let place = all.iter().rposition(|(idle, _)| *idle == setup);
        place.map(|place| all.remove(place).1)
    };
    let gateway = idle.unwrap_or_else(|| Gateway::rejecting(Database::ready(setup.backend), setup.now, &setup.variables));
    Lease { setup, gateway: Some(gateway) }
}

/// Stops the gateways that no law uses.
pub(crate) fn stop_idle() {
    let all = std::mem::take(&mut *idle());
    drop(all);
}

fn idle() -> MutexGuard<'static, Vec<(Setup, Gateway)>> {
    IDLE.lock().expect("not poisoned")
}

impl Deref for Lease {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        self.gateway.as_ref().expect("in use")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A failed law leaves its gateway in an unknown state, so it is stopped.
        let Some(gateway) = self.gateway.take().filter(|_| !thread::panicking()) else { return };
        gateway.assert_conserved();
        gateway.database.clear();
        gateway.set_clock(self.setup.now);
        let mut all = idle();
        all.push((self.setup.clone(), gateway));
        let surplus = (all.len() > MAX_IDLE).then(|| all.remove(0));
        drop(all);
        drop(surplus);
    }
}
