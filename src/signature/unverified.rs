//! No verification, for development on a developer's machine.

use std::net::SocketAddr;

use super::{Proof, Scheme, VerifyError, uncovered};
use crate::callback::{Callback, PayloadKind};

/// Covers nothing.
pub static SCHEME: Scheme = Scheme {
    name: "none",
    covers: "nothing",
    leaves_open: "everything",
    covers_url: false,
    covers_payload: false,
    payload: PayloadKind::Sniffed,
    tolerance: None,
};

/// Headers of proxies and tunnels: a request with one of them is not from this machine.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-", "cf-"];

/// Headers of browsers: any page that is open on this machine could send a form.
const BROWSER: [&str; 2] = ["origin", "sec-fetch-"];

/// The permission to accept unverified callbacks. It is granted only to a gateway on a loopback address with an embedded database.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    allows_tunnel: bool,
}

impl Permission {
    pub fn grant(listen: SocketAddr, database_is_embedded: bool, allows_tunnel: bool) -> Option<Self> {
        (listen.ip().is_loopback() && database_is_embedded).then_some(Self { allows_tunnel })
    }

    /// Accepts the callback, unless it arrived through a proxy or from a browser.
    pub fn verify(self, callback: &Callback) -> Result<Proof<'_>, VerifyError> {
        let has_any = |signs: &[&str]| {
            let is_one = |name: &str| signs.iter().any(|sign| name == *sign || sign.ends_with('-') && name.starts_with(sign));
            callback.headers.names().any(is_one)
        };
        if has_any(&BROWSER) || (!self.allows_tunnel && has_any(&FORWARDED)) {
            return Err(VerifyError::Forwarded);
        }
        Ok(Proof::new(callback, &SCHEME, 0, uncovered(callback)))
    }
}
