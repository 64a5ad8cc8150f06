//! The address of a client, behind proxies or not.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;

use crate::gateway::Gateway;

/// The client's address. Forwarded addresses are read from the right, and trusted proxies skipped: entries to the left of the first
/// other address were written by that client. An entry that cannot be parsed makes the client unknown.
pub(super) fn client_address(request: &HttpRequest, gateway: &Gateway) -> Option<IpAddr> {
    let mut client = request.peer_addr()?.ip().to_canonical();
    if !gateway.trusts(client) {
        return Some(client);
    }
    let forwarded: Vec<&str> =
        request.headers().get_all("x-forwarded-for").flat_map(|value| value.to_str().unwrap_or("?").split(',')).collect();
    for address in forwarded.into_iter().rev() {
        if !gateway.trusts(client) {
            break;
        }
        let address = address.trim();
        let with_port = || address.parse::<SocketAddr>().ok().map(|address| address.ip());
        client = address.parse::<IpAddr>().ok().or_else(with_port)?.to_canonical();
    }
    Some(client)
}
