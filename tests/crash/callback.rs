//! The callbacks of the load: each number is one message with one status, and always the same bytes.

use waybill::{config::Config, endpoint::Endpoint};

use crate::support::{callback::on_the_wire, gateway::PUBLIC_URL, twilio::TOKEN};

/// The body, with its message's id for `{id}`: the checker compares what is stored with it.
pub const BODY: &str = "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&From=%2B15017250604&MessageSid={id}\
                        &MessageStatus=delivered&SmsSid={id}&SmsStatus=delivered&To=%2B15558675310";

pub fn external_id(number: u64) -> String {
    format!("SM{number:032x}")
}

/// The endpoint as the gateway has it, to sign with.
pub fn endpoint() -> Endpoint {
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0)
}

/// The signed callback of that number, as bytes on the wire.
pub fn request(endpoint: &Endpoint, number: u64) -> Vec<u8> {
    on_the_wire(endpoint, &BODY.replace("{id}", &external_id(number)))
}
