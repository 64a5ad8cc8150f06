//! Scheme `ip`: the client's address alone. It suffices only where nothing else is configured.

use ipnet::IpNet;

use super::{Proof, Rejected, Scheme, uncovered};
use crate::callback::Callback;

/// Covers nothing: who sends from these networks is believed.
pub static SCHEME: Scheme = Scheme {
    name: "ip",
    covers: "nothing: who sends from these networks is believed",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    tolerance: None,
};

/// Whether the client's address is in one of the networks. An address that is not known is in none.
pub fn is_allowed(callback: &Callback, networks: &[IpNet]) -> bool {
    callback.client.is_some_and(|client| networks.iter().any(|network| network.contains(&client)))
}

/// The proof that an address gives.
pub fn verify<'c>(callback: &'c Callback, networks: &[IpNet]) -> Result<Proof<'c>, Rejected> {
    if is_allowed(callback, networks) {
        Ok(Proof::new(callback, &SCHEME, 0, uncovered(callback)))
    } else {
        Err(Rejected::Mismatch)
    }
}
