//! How the gateway does: its own checks, each endpoint's condition, and what waits for somebody.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    endpoint::Endpoint,
    gateway::Gateway,
    silence::{Condition, Hour, condition, patience},
    store::{Heard, RequestFilter, RequestState, StoreError},
    time::Timestamp,
};

/// The age up to which the database is not asked again.
const AGE: Duration = Duration::from_secs(1);

/// What rejected requests count: those of the last day.
const DAY: i64 = 24 * 3_600;

/// How the gateway does.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// The version that runs.
    pub version: &'static str,
    /// The gateway's clock.
    pub timestamp: Timestamp,
    /// Each check with `ok`, `warn` or `fail`.
    pub checks: Checks,
    /// Each endpoint, by provider and account.
    pub endpoints: Vec<EndpointHealth>,
    /// What waits for somebody; none if the database does not answer.
    pub waiting: Option<Waiting>,
}

/// What waits for somebody. No figure is greater than 1,000.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct Waiting {
    /// Messages that the application has not registered.
    pub unmatched: usize,
    /// Requests in quarantine.
    pub quarantined: usize,
    /// Requests that were rejected in the last 24 hours and are still kept.
    pub rejected: usize,
}

/// How one endpoint does.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EndpointHealth {
    /// The provider.
    pub service_type: &'static str,
    /// The account there.
    pub account: String,
    /// Its path on the public listener.
    pub path: String,
    /// How it does, in a word.
    pub condition: Condition,
    /// The same in a sentence.
    pub sentence: String,
    /// When its last authentic callback came.
    pub last_genuine_at: Option<Timestamp>,
    /// Seconds without a callback after which it counts as silent, learned from its own pauses.
    pub silent_after_seconds: Option<i64>,
    /// What came to this gateway in the last hour.
    pub last_hour: Hour,
    /// Which part of that was not authentic.
    pub share_rejected: Option<f64>,
    /// The last request that was not authentic, while it is kept.
    pub last_rejected: Option<LastRejected>,
    /// Which of its callbacks the provider does not sign unless told to.
    pub unsigned: Option<&'static str>,
}

/// A request that was not authentic.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LastRejected {
    /// Its id, to show or replay it.
    pub id: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Why it was not believed.
    pub cause: Option<String>,
    /// What the verification doctor says.
    pub finding: Option<String>,
}

/// Names of checks with `ok`, `warn` or `fail`.
pub type Checks = BTreeMap<&'static str, &'static str>;

/// The checks in a word: `healthy`, `degraded` or `unhealthy`.
pub fn summary(checks: &Checks) -> &'static str {
    let any = |word: &str| checks.values().any(|check| *check == word);
    match (any("fail"), any("warn")) {
        (true, _) => "unhealthy",
        (false, true) => "degraded",
        (false, false) => "healthy",
    }
}

impl Gateway {
    /// The gateway's checks, from what is at most a second old.
    pub async fn check(self: Arc<Self>) -> Checks {
        let gateway = Arc::clone(&self);
        let asked = tokio::task::spawn_blocking(move || (gateway.store.is_reachable(), gateway.conditions()));
        let (reachable, conditions) = asked.await.unwrap_or_default();
        let check = |good: bool, otherwise: &'static str| if good { "ok" } else { otherwise };
        let as_usual = |one: &Condition| *one == Condition::Unverified || !one.is_warning();
        Checks::from([
            ("database", check(reachable, "fail")),
            ("verification", check(self.endpoints().all(|endpoint| endpoint.unverified.is_none()), "warn")),
            ("endpoints", check(conditions.iter().all(as_usual), "warn")),
            ("queue", check(self.store.has_room(), "warn")),
            ("writer", check(self.store.is_writing(), "fail")),
        ])
    }

    /// Everything that is known of how it does.
    pub async fn health(self: Arc<Self>) -> Health {
        let checks = Arc::clone(&self).check().await;
        let gateway = Arc::clone(&self);
        let asked = tokio::task::spawn_blocking(move || (gateway.endpoints_health(), gateway.waiting().ok()));
        let (endpoints, waiting) = asked.await.unwrap_or_default();
        Health {
            status: summary(&checks),
            version: env!("CARGO_PKG_VERSION"),
            timestamp: self.clock.now(),
            checks,
            endpoints,
            waiting,
        }
    }

    /// How each endpoint does, in the order of their names. Blocks.
    pub fn endpoints_health(&self) -> Vec<EndpointHealth> {
        let heard = self.heard();
        let mut all: Vec<EndpointHealth> =
            self.endpoints().zip(heard).map(|(endpoint, heard)| self.endpoint_health(endpoint, heard)).collect();
        all.sort_by(|one, other| (one.service_type, &one.account).cmp(&(other.service_type, &other.account)));
        all
    }

    fn endpoint_health(&self, endpoint: &Endpoint, heard: Heard) -> EndpointHealth {
        let hour = endpoint.metrics.hour();
        let condition = self.condition(endpoint, heard);
        EndpointHealth {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            path: endpoint.path(),
            condition,
            sentence: sentence(condition, heard),
            last_genuine_at: heard.last,
            silent_after_seconds: heard.last.map(|_| patience(heard)),
            last_hour: hour,
            share_rejected: hour.share_rejected(),
            last_rejected: self.last_rejected(endpoint),
            unsigned: Some(endpoint.spec.unsigned).filter(|unsigned| !unsigned.is_empty()),
        }
    }

    fn last_rejected(&self, endpoint: &Endpoint) -> Option<LastRejected> {
        let filter = RequestFilter {
            state: Some(RequestState::Rejected),
            service_type: Some(endpoint.spec.name),
            account: Some(endpoint.account.as_str().to_owned()),
            limit: 1,
            ..RequestFilter::default()
        };
        let request = self.store.requests(&filter).ok()?.items.into_iter().next()?;
        let (received_at, cause, finding) = (request.received_at, request.reason, request.finding);
        Some(LastRejected { id: request.id.to_string(), received_at, cause, finding })
    }

    fn waiting(&self) -> Result<Waiting, StoreError> {
        let since = Timestamp::from_seconds(self.clock.now().seconds().saturating_sub(DAY).max(0));
        let backlog = self.store.backlog(since.unwrap_or(self.clock.now()))?;
        Ok(Waiting { unmatched: backlog.unmatched, quarantined: backlog.quarantined, rejected: backlog.rejected })
    }

    fn conditions(&self) -> Vec<Condition> {
        self.endpoints().zip(self.heard()).map(|(endpoint, heard)| self.condition(endpoint, heard)).collect()
    }

    fn condition(&self, endpoint: &Endpoint, heard: Heard) -> Condition {
        condition(heard, endpoint.metrics.hour(), endpoint.unverified.is_some(), self.clock.now())
    }

    /// When the endpoints, in their order, were last heard of. What was known last stands while the database does not answer.
    fn heard(&self) -> Vec<Heard> {
        let mut known = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(asked, _)| asked.elapsed() > AGE) {
            let names: Vec<_> = self.endpoints().map(|one| (one.spec.name, one.account.as_str().to_owned())).collect();
            let heard = self.store.heard(&names).ok().or_else(|| known.take().map(|(_, heard)| heard));
            *known = Some((Instant::now(), heard.unwrap_or_else(|| vec![Heard::default(); names.len()])));
        }
        known.as_ref().map(|(_, heard)| heard.clone()).unwrap_or_default()
    }
}

fn sentence(condition: Condition, heard: Heard) -> String {
    let last = heard.last.map(|at| at.to_string()).unwrap_or_default();
    match condition {
        Condition::Ok => format!("The last authentic callback came at {last}."),
        Condition::NeverHeard => "No authentic callback ever came: paste its URL at the provider.".to_owned(),
        Condition::Silent => {
            format!("No authentic callback came since {last}, which is unusually long: look into the provider's console.")
        }
        Condition::AllRejected => {
            "Everything that came in the last hour was refused: see what the doctor says of the last one.".to_owned()
        }
        Condition::Unverified => "Nothing is verified: VERIFY_WEBHOOK_SIGNATURES is false.".to_owned(),
    }
}
