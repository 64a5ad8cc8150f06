//! A gateway with one Twilio account, and callbacks signed for it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use waybill::{config::Config, endpoint::Endpoint, time::Timestamp};

use super::{
    client::Response,
    database::Database,
    gateway::{Gateway, PUBLIC_URL},
};

pub const TOKEN: &str = "3f1c9a0e5b7d42688c14d2a96f0b7e35";
pub const PATH: &str = "/webhooks/twilio";

/// A gateway whose clock is set to that second.
pub fn gateway(database: Database, seconds: i64, more: &[(&str, &str)]) -> Gateway {
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN)].iter().chain(more);
    let variables: Vec<(String, String)> = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateway::start_on(database, Timestamp::from_seconds(seconds).expect("an instant"), &variables)
}

/// The endpoint of a gateway in another process, for signing.
pub fn endpoint() -> Endpoint {
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

/// Sends a signed form.
pub fn form(gateway: &Gateway, body: &str) -> Response {
    send(gateway, PATH, body, "application/x-www-form-urlencoded")
}

/// Sends signed JSON.
pub fn json(gateway: &Gateway, document: &Value) -> Response {
    let body = document.to_string();
    send(gateway, &format!("{PATH}?bodySHA256={}", hex::encode(Sha256::digest(&body))), &body, "application/json")
}

fn send(gateway: &Gateway, target: &str, body: &str, content_type: &str) -> Response {
    let endpoint = gateway.endpoint(PATH);
    let mut outgoing = endpoint.outgoing("POST", target, content_type, body);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    gateway.send(&outgoing)
}
