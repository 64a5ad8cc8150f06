//! Callbacks over HTTP, for `demo` and `simulate`.

use std::time::Duration;

use super::CommandError;
use crate::signature::Outgoing;

/// Longer than a gateway's slowest response.
const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_RESPONSE_BYTES: u64 = 64 << 10;

/// A client of one gateway.
pub(super) struct Sender {
    agent: ureq::Agent,
    origin: String,
}

/// The gateway's response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The callback was known before.
    pub(super) is_duplicate: bool,
}

impl Sender {
    /// A client of the gateway at an origin such as `http://127.0.0.1:8080`.
    pub(super) fn new(origin: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(TIMEOUT));
        Self { agent: config.build().into(), origin: origin.trim_end_matches('/').to_owned() }
    }

    /// Sends one request and waits for the response.
    pub(super) fn send(&self, outgoing: Outgoing) -> Result<Reply, CommandError> {
        // Reports connection errors only: others could quote the URL, which may contain a secret.
        let failed = |error: ureq::Error| match error {
            ureq::Error::Io(error) => CommandError::Other(format!("cannot call the gateway: {}", error.kind())),
            ureq::Error::Timeout(_) => CommandError::Other("the gateway did not respond in time".to_owned()),
            _ => CommandError::Other(format!("cannot call the gateway at {}", self.origin)),
        };
        let request = ureq::http::Request::builder();
        let request = request.method(outgoing.method.as_str()).uri(format!("{}{}", self.origin, outgoing.target));
        let request = outgoing.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = if outgoing.body.is_empty() {
            request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
        } else {
            request.body(&outgoing.body[..]).map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
        };
        let mut response = response.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_vec().map_err(failed)?;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Reply { status, is_duplicate: answer.get("duplicate").is_some_and(|duplicate| duplicate == true) })
    }
}
