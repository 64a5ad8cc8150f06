//! The address of a client, behind proxies or not.

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header::HeaderValue};

use crate::gateway::Gateway;

/// The client's address: that of the connection or, behind trusted proxies, the one in the header that `CLIENT_IP_HEADER` names.
pub(super) fn client_address(request: &HttpRequest, gateway: &Gateway) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let proxies = gateway.trusted_proxies();
    if !proxies.trusts(peer) {
        return Some(peer);
    }
    let values = request.headers().get_all(proxies.header.name()).map(HeaderValue::as_bytes);
    proxies.header.client(peer, values, |address| proxies.trusts(address))
}
