//! Signed callbacks, as values for the library and as bytes for a connection.

use std::sync::Arc;

use bytes::Bytes;
use waybill::{callback::Callback, endpoint::Endpoint, signature::Outgoing, time::Timestamp};

const FORM: &str = "application/x-www-form-urlencoded";

/// The form of a Twilio status callback, as long as a real one.
pub fn status_form(message: u64, status: &str) -> String {
    format!(
        "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&From=%2B15017250604&MessageSid=SM{message:032x}\
         &MessageStatus={status}&SmsSid=SM{message:032x}&SmsStatus={status}&To=%2B1555{:07}",
        message % 9_999_991
    )
}

/// A signed form as an HTTP/1.1 request.
pub fn request_bytes(endpoint: &Endpoint, body: &str) -> Vec<u8> {
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

/// A callback signed by the endpoint's first scheme and secret, sent and received at the given instant.
pub fn signed(endpoint: &Endpoint, target: String, body: String, id: &str, at: Timestamp) -> Callback {
    let mut outgoing = Outgoing { id: id.to_owned(), seconds: at.seconds(), ..endpoint.outgoing("POST", target, FORM, body) };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, at)
}

/// The callback that the gateway builds from a request received at the given instant.
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
