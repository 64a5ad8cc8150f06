//! Requests of an endpoint: each is counted when it comes, and by its outcome when it goes, however it goes.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use strum::VariantNames;

use super::{
    Histograms, counters,
    labels::{ByAnswer, ByCause, ByEndpoint, ByOutcome, ByProof, ByProvider},
    outcome::{FailedCause, Outcome},
    seconds,
};
use crate::{
    callback::VerifiedCallback,
    endpoint::Endpoint,
    receive::{Received, Refusal},
    silence::{Hour, Recent},
    time::Timestamp,
};

/// From a millisecond, which only a refusal takes, to past the longest wait for a commit.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
}

/// What is counted of requests.
#[derive(Debug)]
pub(super) struct Requests {
    received: Family<ByEndpoint, Counter>,
    outcomes: Family<ByOutcome, Counter>,
    rejected: Family<ByCause, Counter>,
    failed: Family<ByCause, Counter>,
    answers: Family<ByAnswer, Counter>,
    duration: Histograms<ByProvider>,
    verified: Family<ByProof, Counter>,
    unmatched: Family<ByEndpoint, Counter>,
    last_genuine: Family<ByEndpoint, Gauge>,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let last_genuine: Family<ByEndpoint, Gauge> = Family::default();
        let requests = Self {
            received: counters(registry, "requests_received", "Requests that matched an endpoint and its method"),
            outcomes: counters(
                registry,
                "requests_outcome",
                "What became of requests: accepted, duplicate, quarantined, ignored, rejected or failed, each counted once",
            ),
            rejected: counters(registry, "requests_rejected", "Requests that are not authentic, by cause"),
            failed: counters(registry, "requests_failed", "Requests that could not be taken, by cause"),
            answers: counters(registry, "answers", "Answers to received requests, by HTTP status"),
            duration: seconds(registry, "request_duration", "Time from a request's head to its answer", durations),
            verified: counters(
                registry,
                "verified",
                "Authentic requests, by signature scheme and index of the secret that matched",
            ),
            unmatched: counters(registry, "unmatched", "Stored requests about messages that the application has not registered"),
            last_genuine: last_genuine.clone(),
        };
        let help = "When the last authentic request came, as Unix time; absent if none ever did";
        registry.register_with_unit("endpoint_last_genuine_timestamp", help, Unit::Seconds, last_genuine);
        requests
    }
}

/// The counters of one endpoint.
#[derive(Debug)]
pub struct EndpointMetrics {
    requests: Arc<Requests>,
    labels: ByEndpoint,
    recent: Recent,
}

impl Default for EndpointMetrics {
    /// Counters that nobody reads.
    fn default() -> Self {
        Self {
            requests: Arc::new(Requests::register(&mut Registry::default())),
            labels: ByEndpoint::default(),
            recent: Recent::default(),
        }
    }
}

impl EndpointMetrics {
    /// A rate needs a first value to rise from: what is always counted begins at zero.
    pub(super) fn new(requests: Arc<Requests>, endpoint: &Endpoint) -> Self {
        let labels = ByEndpoint { provider: endpoint.spec.name, account: endpoint.account.as_str().into() };
        drop(requests.received.get_or_create(&labels));
        let metrics = Self { requests, labels, recent: Recent::default() };
        for name in Outcome::VARIANTS {
            drop(metrics.requests.outcomes.get_or_create(&metrics.by_outcome(name)));
        }
        metrics
    }

    /// Counts a request. A method that the provider does not use makes it no request of the endpoint.
    pub fn received(&self, is_of_endpoint: bool) -> Counted<'_> {
        if is_of_endpoint {
            self.requests.received.get_or_create(&self.labels).inc();
        }
        Counted {
            endpoint: is_of_endpoint.then_some(self),
            outcome: Outcome::Failed(FailedCause::Aborted),
            started: Instant::now(),
        }
    }

    /// Counts a proof.
    pub fn verified(&self, callback: &VerifiedCallback<'_>) {
        let ByEndpoint { provider, account } = self.labels.clone();
        let proof = callback.proof();
        let labels = ByProof { provider, account, scheme: proof.scheme().name, secret: proof.secret_index() };
        self.requests.verified.get_or_create(&labels).inc();
        self.recent.count(true);
        self.heard(callback.received_at);
    }

    /// An authentic request came then, perhaps before this start.
    pub fn heard(&self, at: Timestamp) {
        self.requests.last_genuine.get_or_create(&self.labels).inner().fetch_max(at.seconds(), Ordering::Relaxed);
    }

    /// What came in the last hour.
    pub fn hour(&self) -> Hour {
        self.recent.hour()
    }

    fn by_outcome(&self, outcome: &'static str) -> ByOutcome {
        let ByEndpoint { provider, account } = self.labels.clone();
        ByOutcome { provider, account, outcome }
    }

    fn ended(&self, outcome: Outcome) {
        self.requests.outcomes.get_or_create(&self.by_outcome(outcome.into())).inc();
        if matches!(outcome, Outcome::Rejected(_)) {
            self.recent.count(false);
        }
        let (causes, cause) = match outcome {
            Outcome::Rejected(cause) => (&self.requests.rejected, cause.name()),
            Outcome::Failed(cause) => (&self.requests.failed, cause.into()),
            Outcome::Accepted | Outcome::Duplicate | Outcome::Quarantined | Outcome::Ignored => return,
        };
        let ByEndpoint { provider, account } = self.labels.clone();
        causes.get_or_create(&ByCause { provider, account, cause }).inc();
    }
}

/// A request that is counted by its outcome when this is dropped, so also when its client hangs up in the middle.
#[derive(Debug)]
pub struct Counted<'m> {
    endpoint: Option<&'m EndpointMetrics>,
    outcome: Outcome,
    started: Instant,
}

impl Counted<'_> {
    /// What becomes of it, unless something happens before it is answered.
    pub fn becomes(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// What the pipeline made of it.
    pub fn came_to(&mut self, result: &Result<Received, Refusal>) {
        self.outcome = result.into();
        if let (Some(endpoint), Ok(received)) = (self.endpoint, result)
            && received.committed.is_unmatched()
        {
            endpoint.requests.unmatched.get_or_create(&endpoint.labels).inc();
        }
    }

    /// It is answered with that status.
    pub fn answered(&self, status: u16) {
        let Some(EndpointMetrics { requests, labels, .. }) = self.endpoint else { return };
        let ByEndpoint { provider, account } = labels.clone();
        requests.answers.get_or_create(&ByAnswer { provider, account, status }).inc();
        requests.duration.get_or_create(&ByProvider { provider }).observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint {
            endpoint.ended(self.outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;
    use crate::{metrics::outcome::RejectedCause, signature::Rejected};

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        let requests = Arc::new(Requests::register(&mut Registry::default()));
        let metrics =
            EndpointMetrics { requests: Arc::clone(&requests), labels: ByEndpoint::default(), recent: Recent::default() };
        let rejected = Rejected::VARIANTS
            .iter()
            .map(|cause| RejectedCause::NotGenuine(*cause))
            .chain([RejectedCause::Forbidden, RejectedCause::Limited]);
        let failed = FailedCause::VARIANTS.iter().map(|cause| Outcome::Failed(*cause));
        for outcome in rejected.map(Outcome::Rejected).chain(failed) {
            metrics.received(true).becomes(outcome);
            let (causes, cause) = match outcome {
                Outcome::Rejected(cause) => (&requests.rejected, cause.name()),
                Outcome::Failed(cause) => (&requests.failed, cause.into()),
                _ => continue,
            };
            let ByEndpoint { provider, account } = ByEndpoint::default();
            assert_eq!(causes.get_or_create(&ByCause { provider, account, cause }).get(), 1, "{outcome:?}");
        }
        let count = |outcome: &'static str| requests.outcomes.get_or_create(&metrics.by_outcome(outcome)).get();
        let all = (Rejected::VARIANTS.len() + 2, FailedCause::VARIANTS.len());
        assert_eq!((count("rejected"), count("failed")), (all.0 as u64, all.1 as u64));
        assert_eq!(requests.received.get_or_create(&ByEndpoint::default()).get(), (all.0 + all.1) as u64);
    }

    #[test]
    fn a_request_that_is_dropped_was_aborted_and_one_of_no_endpoint_is_not_counted() {
        let metrics = EndpointMetrics::default();
        drop(metrics.received(true));
        let ByEndpoint { provider, account } = ByEndpoint::default();
        assert_eq!(metrics.requests.failed.get_or_create(&ByCause { provider, account, cause: "aborted" }).get(), 1);
        let other = metrics.received(false);
        other.answered(405);
        drop(other);
        assert_eq!(metrics.requests.received.get_or_create(&ByEndpoint::default()).get(), 1);
        assert_eq!(metrics.requests.outcomes.get_or_create(&metrics.by_outcome("failed")).get(), 1);
    }
}
