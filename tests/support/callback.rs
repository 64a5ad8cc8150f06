//! Signed callbacks: as a value, without a server, and as bytes on the wire.

use std::sync::Arc;

use bytes::Bytes;
use waybill::{callback::Callback, endpoint::Endpoint, signature::Outgoing, time::Timestamp};

/// A signed form, as bytes on the wire.
pub fn on_the_wire(endpoint: &Endpoint, body: &str) -> Vec<u8> {
    let target = endpoint.path();
    let outgoing = Outgoing { url: &endpoint.url(&target), body: body.as_bytes(), is_form: true, id: "", seconds: 0 };
    let (name, signature) = endpoint.sign(endpoint.spec.schemes[0], &outgoing).remove(0);
    format!(
        "POST {target} HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {name}: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Signed by the endpoint's first scheme and secret, as if sent and received at that instant.
pub fn signed(endpoint: &Endpoint, target: String, body: String, id: &str, at: Timestamp) -> Callback {
    let outgoing = Outgoing { url: &endpoint.url(&target), body: body.as_bytes(), is_form: true, id, seconds: at.seconds() };
    let mut headers = endpoint.sign(endpoint.spec.schemes[0], &outgoing);
    headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    Callback {
        method: "POST".to_owned(),
        target,
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: headers.into_iter().collect(),
        body: Bytes::from(body),
        received_at: at,
    }
}
