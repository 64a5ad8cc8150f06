//! A request in progress.

use std::time::Instant;

use super::{
    outcome::{FailedCause, Outcome},
    request::EndpointMetrics,
};

/// Counts a request's outcome when it is dropped, so also when the client closes the connection.
#[derive(Debug)]
pub struct RequestGuard<'m> {
    endpoint: Option<&'m EndpointMetrics>,
    outcome: Outcome,
    started: Instant,
}

impl<'m> RequestGuard<'m> {
    pub(super) fn new(endpoint: Option<&'m EndpointMetrics>) -> Self {
        Self { endpoint, outcome: Outcome::Failed(FailedCause::Aborted), started: Instant::now() }
    }

    /// Sets the outcome, which holds unless the request ends before its response.
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Counts the response.
    pub fn respond(&self, status: u16) {
        if let Some(endpoint) = self.endpoint {
            endpoint.count_response(status, self.started.elapsed());
        }
    }
}

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint {
            endpoint.count_outcome(self.outcome);
        }
    }
}
