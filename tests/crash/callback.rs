//! The callbacks of the load: each number identifies one message with one status, and yields the same bytes every time.

use waybill::{config::Config, endpoint::Endpoint};

use crate::support::{callback::request_bytes, gateway::PUBLIC_URL, twilio::TOKEN};

/// The body, with `{id}` for its message's id. The checker compares stored bodies with it.
pub const BODY: &str = "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&From=%2B15017250604&MessageSid={id}\
                        &MessageStatus=delivered&SmsSid={id}&SmsStatus=delivered&To=%2B15558675310";

pub fn external_id(number: u64) -> String {
    format!("SM{number:032x}")
}

/// The gateway's endpoint, used for signing.
pub fn endpoint() -> Endpoint {
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

/// The signed callback of that number as an HTTP/1.1 request.
pub fn request(endpoint: &Endpoint, number: u64) -> Vec<u8> {
    request_bytes(endpoint, &BODY.replace("{id}", &external_id(number)))
}
