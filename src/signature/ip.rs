//! Scheme `ip`: the client's address alone, where nothing else is configured.

use ipnet::IpNet;

use super::{Proof, Scheme, VerifyError, uncovered};
use crate::callback::{Callback, PayloadKind};

/// Covers nothing: any client in these networks is accepted.
pub static SCHEME: Scheme = Scheme {
    name: "ip",
    covers: "nothing: any client in these networks is accepted",
    leaves_open: "body, query, method, headers and time",
    covers_url: false,
    covers_payload: false,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// Returns true if the client's address is in one of the networks. An unknown address is in none.
pub fn is_allowed(callback: &Callback, networks: &[IpNet]) -> bool {
    callback.client.is_some_and(|client| networks.iter().any(|network| network.contains(&client)))
}

pub fn verify<'c>(callback: &'c Callback, networks: &[IpNet]) -> Result<Proof<'c>, VerifyError> {
    if is_allowed(callback, networks) {
        Ok(Proof::new(callback, &SCHEME, 0, uncovered(callback)))
    } else {
        Err(VerifyError::Mismatch)
    }
}
