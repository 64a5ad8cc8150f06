//! No verification at all, for development on one's own machine.

use std::net::SocketAddr;

use super::{Proof, Rejected, Scheme, uncovered};
use crate::callback::Callback;

/// Covers nothing.
pub static SCHEME: Scheme = Scheme {
    name: "none",
    covers: "nothing",
    leaves_open: "everything",
    covers_url: false,
    covers_payload: false,
    tolerance: None,
};

/// Headers that a proxy or tunnel adds: with one of them a request does not come from this machine.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-", "cf-"];

/// Headers that a browser adds: any page that is open on this machine could send a form here.
const BROWSER: [&str; 2] = ["origin", "sec-fetch-"];

/// The permission to verify nothing. Only a gateway that nobody else can reach, with a database that nobody else uses,
/// can get one.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    allows_tunnel: bool,
}

impl Permission {
    /// Grants it if the fences hold.
    pub fn grant(listen: SocketAddr, database_is_embedded: bool, allows_tunnel: bool) -> Option<Self> {
        (listen.ip().is_loopback() && database_is_embedded).then_some(Self { allows_tunnel })
    }

    /// Takes the callback as it is, unless it came through a proxy.
    pub fn prove(self, callback: &Callback) -> Result<Proof<'_>, Rejected> {
        let has_any = |signs: &[&str]| {
            let is_one = |name: &str| signs.iter().any(|sign| name == *sign || sign.ends_with('-') && name.starts_with(sign));
            callback.headers.names().any(is_one)
        };
        if has_any(&BROWSER) || (!self.allows_tunnel && has_any(&FORWARDED)) {
            return Err(Rejected::Forwarded);
        }
        Ok(Proof::new(callback, &SCHEME, 0, uncovered(callback)))
    }
}
