//! No verification, for development on a developer's machine.

use std::net::{IpAddr, SocketAddr};

use super::{Proof, Scheme, VerifyError, uncovered};
use crate::callback::{Callback, PayloadKind, Repeated};

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
const FORWARDED: [&str; 5] = ["forwarded", "via", "x-forwarded-", "x-real-ip", "cf-"];

/// Headers of browsers: any page that is open on this machine could send a form.
const BROWSER: [&str; 2] = ["origin", "sec-fetch-"];

/// The permission to accept unverified callbacks. It is granted only to a gateway on a loopback address with an embedded database.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    listen: IpAddr,
    allows_tunnel: bool,
}

impl Permission {
    pub fn grant(listen: SocketAddr, database_is_embedded: bool, allows_tunnel: bool) -> Option<Self> {
        (listen.ip().is_loopback() && database_is_embedded).then_some(Self { listen: listen.ip(), allows_tunnel })
    }

    /// Accepts the callback, unless it arrived through a proxy or from a browser, or names another host: a page whose name resolves to this
    /// machine (DNS rebinding) sends its own.
    pub fn verify(self, callback: &Callback) -> Result<Proof<'_>, VerifyError> {
        let has_any = |signs: &[&str]| {
            let is_one = |name: &str| signs.iter().any(|sign| name == *sign || sign.ends_with('-') && name.starts_with(sign));
            callback.headers.names().any(is_one)
        };
        if has_any(&BROWSER) || (!self.allows_tunnel && (has_any(&FORWARDED) || !self.is_local(callback))) {
            return Err(VerifyError::Forwarded);
        }
        Ok(Proof::new(callback, &SCHEME, 0, uncovered(callback)))
    }

    /// Returns true if the `Host` header, if there is one, names this machine.
    fn is_local(self, callback: &Callback) -> bool {
        let host = match callback.headers.single("host") {
            Ok(None) => return true,
            Ok(Some(host)) => std::str::from_utf8(host).unwrap_or_default(),
            Err(Repeated) => return false,
        };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if let Ok(address) = address.parse::<IpAddr>() {
            return address.is_loopback() || address == self.listen;
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }
}
