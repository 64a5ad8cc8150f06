//! The callbacks of the load: each number identifies one message with one status, and yields the same bytes every time.

use waybill::endpoint::Endpoint;

use crate::support::callback::request_bytes;

/// The body, with `{id}` for its message's id. The checker compares stored bodies with it.
pub const BODY: &str = "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&From=%2B15017250604&MessageSid={id}\
                        &MessageStatus=delivered&SmsSid={id}&SmsStatus=delivered&To=%2B15558675310";

pub fn external_id(number: u64) -> String {
    format!("SM{number:032x}")
}

/// The signed callback of that number as an HTTP/1.1 request.
pub fn request(endpoint: &Endpoint, number: u64) -> Vec<u8> {
    request_bytes(endpoint, &BODY.replace("{id}", &external_id(number)))
}
