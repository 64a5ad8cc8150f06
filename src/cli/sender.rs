//! Callbacks over HTTP, for `demo` and `simulate`.

use std::time::Duration;

use super::CommandError;
use crate::signature::Outgoing;

/// Longer than any answer of a gateway takes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The gateway's answers are short.
const MAX_ANSWER: u64 = 64 << 10;

/// Sends to one gateway.
pub(super) struct Sender {
    agent: ureq::Agent,
    origin: String,
}

/// What the gateway answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether it says that nothing in it was new.
    pub(super) is_duplicate: bool,
}

impl Sender {
    /// To that origin, such as `http://127.0.0.1:8080`.
    pub(super) fn to(origin: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(TIMEOUT));
        Self { agent: config.build().into(), origin: origin.trim_end_matches('/').to_owned() }
    }

    /// Sends one request and waits for its answer.
    pub(super) fn send(&self, outgoing: Outgoing) -> Result<Reply, CommandError> {
        // Only what is wrong with the connection: the error of a request could quote its URL, which may hold a secret.
        let failed = |error: ureq::Error| match error {
            ureq::Error::Io(error) => CommandError::Other(format!("cannot call the gateway: {}", error.kind())),
            ureq::Error::Timeout(_) => CommandError::Other("the gateway does not answer in time".to_owned()),
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
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(failed)?;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Reply { status, is_duplicate: answer.get("duplicate").is_some_and(|duplicate| duplicate == true) })
    }
}
