//! The requests of an endpoint: each is counted when it arrives, and by its outcome when it ends.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use strum::{VariantArray, VariantNames};

use super::{
    Histograms, counters,
    handles::Counters,
    labels::{ByCause, ByEndpoint, ByOutcome, ByProof, ByProvider, ByResponse, EndpointLabels},
    last_hour::{Hour, RollingHour},
    outcome::{FailedCause, Outcome, RejectedCause},
    request_guard::RequestGuard,
    seconds,
};
use crate::{
    log_throttle::{LogThrottle, LogThrottles},
    time::Timestamp,
};

/// From a millisecond, which suffices for a rejection, to past the longest wait for a commit.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
}

/// The request metrics of all endpoints.
#[derive(Debug)]
pub(super) struct Requests {
    received: Family<ByEndpoint, Counter>,
    outcomes: Family<ByOutcome, Counter>,
    rejected: Family<ByCause, Counter>,
    failed: Family<ByCause, Counter>,
    responses: Family<ByResponse, Counter>,
    duration: Histograms<ByProvider>,
    verified: Family<ByProof, Counter>,
    unmatched: Family<ByEndpoint, Counter>,
    unmatched_log: LogThrottle,
    last_verified: Family<ByEndpoint, Gauge>,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let last_verified: Family<ByEndpoint, Gauge> = Family::default();
        let requests = Self {
            received: counters(registry, "requests_received", "Requests that matched an endpoint and its method"),
            outcomes: counters(
                registry,
                "requests_outcome",
                "Requests by outcome: accepted, duplicate, quarantined, ignored, rejected or failed; each request is counted once",
            ),
            rejected: counters(registry, "requests_rejected", "Requests that failed verification, by cause"),
            failed: counters(registry, "requests_failed", "Requests that were not processed, by cause"),
            responses: counters(registry, "answers", "Responses to received requests, by HTTP status"),
            duration: seconds(registry, "request_duration", "Time from a request's head to its response", durations),
            verified: counters(
                registry,
                "verified",
                "Verified requests, by signature scheme and index of the secret that matched",
            ),
            unmatched: counters(registry, "unmatched", "Stored requests for messages that the application has not registered"),
            unmatched_log: LogThrottle::default(),
            last_verified: last_verified.clone(),
        };
        let help = "Unix time of the last verified request; absent if there is none";
        registry.register_with_unit("endpoint_last_genuine_timestamp", help, Unit::Seconds, last_verified);
        requests
    }
}

/// The statuses of responses.
const STATUSES: [u16; 12] = [200, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503];

/// Secrets of one scheme whose counters are looked up once; more than any rotation needs.
const SECRETS: usize = 4;

/// The counters of one endpoint.
#[derive(Debug)]
pub struct EndpointMetrics {
    requests: Arc<Requests>,
    labels: ByEndpoint,
    received: Counter,
    outcomes: Counters<&'static str>,
    rejected: Counters<&'static str>,
    failed: Counters<&'static str>,
    responses: Counters<u16>,
    verified: Counters<(usize, &'static str)>,
    duration: OnceLock<Histogram>,
    unmatched: OnceLock<Counter>,
    last_verified: OnceLock<Gauge>,
    recent: RollingHour,
    log: LogThrottles,
}

impl Default for EndpointMetrics {
    /// Counters of no registry.
    fn default() -> Self {
        Self::new(Arc::new(Requests::register(&mut Registry::default())), &EndpointLabels::default())
    }
}

impl EndpointMetrics {
    /// Creates the outcome counters at zero: a rate needs a first value to rise from.
    pub(super) fn new(requests: Arc<Requests>, names: &EndpointLabels) -> Self {
        let labels = ByEndpoint { provider: names.provider, account: names.account.as_str().into() };
        let causes = names.causes.iter().copied().chain(RejectedCause::OTHERS.map(RejectedCause::name));
        let schemes = (0..SECRETS).flat_map(|secret| names.schemes.iter().map(move |scheme| (secret, *scheme)));
        let metrics = Self {
            received: requests.received.get_or_create_owned(&labels),
            outcomes: Counters::new(Outcome::VARIANTS.iter().copied()),
            rejected: Counters::new(causes),
            failed: Counters::new(FailedCause::VARIANTS.iter().map(<&str>::from)),
            responses: Counters::new(STATUSES),
            verified: Counters::new(schemes),
            duration: OnceLock::new(),
            unmatched: OnceLock::new(),
            last_verified: OnceLock::new(),
            recent: RollingHour::default(),
            log: LogThrottles::default(),
            requests,
            labels,
        };
        for outcome in Outcome::VARIANTS {
            drop(metrics.requests.outcomes.get_or_create(&metrics.by_outcome(outcome)));
        }
        metrics
    }

    /// Counts a line for the log that any client can cause. When one is due: the number of occurrences since the last line of that kind.
    pub fn count_log_line(&self, kind: &'static str) -> Option<u64> {
        self.log.count(kind)
    }

    /// Counts a request, unless the endpoint does not take its method.
    pub fn count_request(&self, is_counted: bool) -> RequestGuard<'_> {
        if is_counted {
            self.received.inc();
        }
        RequestGuard::new(is_counted.then_some(self))
    }

    /// Counts a verified request, by the scheme and the secret that verified it.
    pub fn count_verified(&self, scheme: &'static str, secret: usize, received_at: Timestamp) {
        self.verified.inc((secret, scheme), || {
            let ByEndpoint { provider, account } = self.labels.clone();
            self.requests.verified.get_or_create_owned(&ByProof { provider, account, scheme, secret })
        });
        self.recent.count(true);
        self.set_last_verified(received_at);
    }

    /// Sets the time of the last verified request, unless a later one is known.
    pub fn set_last_verified(&self, at: Timestamp) {
        let gauge = self.last_verified.get_or_init(|| self.requests.last_verified.get_or_create_owned(&self.labels));
        gauge.inner().fetch_max(at.seconds(), Ordering::Relaxed);
    }

    /// Ends the series of the time of the last verified request, once the endpoint is removed: it would look silent for ever.
    pub fn forget_last_verified(&self) {
        self.requests.last_verified.remove(&self.labels);
    }

    /// Counts a stored request for messages that are not registered. When a log line is due: the count since the last one, of all
    /// endpoints.
    pub fn count_unmatched(&self) -> Option<u64> {
        self.unmatched.get_or_init(|| self.requests.unmatched.get_or_create_owned(&self.labels)).inc();
        self.requests.unmatched_log.count()
    }

    pub fn last_hour(&self) -> Hour {
        self.recent.sum()
    }

    fn by_outcome(&self, outcome: &'static str) -> ByOutcome {
        let ByEndpoint { provider, account } = self.labels.clone();
        ByOutcome { provider, account, outcome }
    }

    pub(super) fn count_outcome(&self, outcome: Outcome) {
        let name = outcome.into();
        self.outcomes.inc(name, || self.requests.outcomes.get_or_create_owned(&self.by_outcome(name)));
        let (family, counters, cause) = match outcome {
            Outcome::Rejected(cause) => (&self.requests.rejected, &self.rejected, cause.name()),
            Outcome::Failed(cause) => (&self.requests.failed, &self.failed, cause.into()),
            Outcome::Accepted | Outcome::Duplicate | Outcome::Quarantined | Outcome::Ignored => return,
        };
        counters.inc(cause, || {
            let ByEndpoint { provider, account } = self.labels.clone();
            family.get_or_create_owned(&ByCause { provider, account, cause })
        });
        if matches!(outcome, Outcome::Rejected(_)) {
            self.recent.count(false);
        }
    }

    pub(super) fn count_response(&self, status: u16, took: Duration) {
        self.responses.inc(status, || {
            let ByEndpoint { provider, account } = self.labels.clone();
            self.requests.responses.get_or_create_owned(&ByResponse { provider, account, status })
        });
        let by_provider = ByProvider { provider: self.labels.provider };
        let duration = self.duration.get_or_init(|| self.requests.duration.get_or_create_owned(&by_provider));
        duration.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "mismatch";

    #[test]
    fn every_cause_has_its_own_counter() {
        let requests = Arc::new(Requests::register(&mut Registry::default()));
        let metrics =
            EndpointMetrics::new(Arc::clone(&requests), &EndpointLabels { causes: vec![CAUSE], ..EndpointLabels::default() });
        let rejected = [RejectedCause::NotVerified(CAUSE)].into_iter().chain(RejectedCause::OTHERS);
        let failed = FailedCause::VARIANTS.iter().map(|cause| Outcome::Failed(*cause));
        for outcome in rejected.map(Outcome::Rejected).chain(failed) {
            metrics.count_request(true).set_outcome(outcome);
            let (causes, cause) = match outcome {
                Outcome::Rejected(cause) => (&requests.rejected, cause.name()),
                Outcome::Failed(cause) => (&requests.failed, cause.into()),
                _ => continue,
            };
            let ByEndpoint { provider, account } = ByEndpoint::default();
            assert_eq!(causes.get_or_create(&ByCause { provider, account, cause }).get(), 1, "{outcome:?}");
        }
        let count = |outcome: &'static str| requests.outcomes.get_or_create(&metrics.by_outcome(outcome)).get();
        let all = (1 + RejectedCause::OTHERS.len(), FailedCause::VARIANTS.len());
        assert_eq!((count("rejected"), count("failed")), (all.0 as u64, all.1 as u64));
        assert_eq!(requests.received.get_or_create(&ByEndpoint::default()).get(), (all.0 + all.1) as u64);
    }

    #[test]
    fn dropped_request_counts_as_aborted_unless_it_has_no_endpoint() {
        let metrics = EndpointMetrics::default();
        drop(metrics.count_request(true));
        let ByEndpoint { provider, account } = ByEndpoint::default();
        assert_eq!(metrics.requests.failed.get_or_create(&ByCause { provider, account, cause: "aborted" }).get(), 1);
        let other = metrics.count_request(false);
        other.respond(405);
        drop(other);
        assert_eq!(metrics.requests.received.get_or_create(&ByEndpoint::default()).get(), 1);
        assert_eq!(metrics.requests.outcomes.get_or_create(&metrics.by_outcome("failed")).get(), 1);
    }
}
