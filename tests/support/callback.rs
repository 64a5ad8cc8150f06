//! Signed callbacks: as a value, without a server, and as bytes on the wire.

use std::sync::Arc;

use bytes::Bytes;
use waybill::{callback::Callback, endpoint::Endpoint, signature::Outgoing, time::Timestamp};

const FORM: &str = "application/x-www-form-urlencoded";

/// A signed form, as bytes on the wire.
pub fn on_the_wire(endpoint: &Endpoint, body: &str) -> Vec<u8> {
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), FORM, body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    let headers: Vec<String> = outgoing.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: hooks.example.com\r\n{}Content-Length: {}\r\n\r\n",
        outgoing.target,
        headers.concat(),
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

/// Signed by the endpoint's first scheme and secret, as if sent and received at that instant.
pub fn signed(endpoint: &Endpoint, target: String, body: String, id: &str, at: Timestamp) -> Callback {
    let mut outgoing = Outgoing { id: id.to_owned(), seconds: at.seconds(), ..endpoint.outgoing("POST", target, FORM, body) };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, at)
}

/// The request as the gateway takes it from the wire at that instant.
pub fn received(endpoint: &Endpoint, outgoing: Outgoing, at: Timestamp) -> Callback {
    Callback {
        method: outgoing.method,
        target: outgoing.target,
        route: "",
        url_token: None,
        client: None,
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: outgoing.headers.into_iter().collect(),
        body: Bytes::from(outgoing.body),
        received_at: at,
    }
}
