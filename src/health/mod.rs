//! The health of the gateway: its checks, the status of each endpoint, and the requests that need attention.

mod queue;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use serde::Serialize;

pub use self::queue::QueueHealth;
use crate::{
    endpoint::Endpoint,
    endpoint_status::{self, EndpointStatus, silence_threshold},
    gateway::Gateway,
    metrics::Hour,
    queue::Role,
    store::{Activities, Backlog, EndpointActivity, RequestFilter, RequestState, StoreError},
    time::Timestamp,
};

/// The age up to which activity is not read again.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Longest wait of a check for the database.
const CHECK_TIMEOUT: Duration = Duration::from_millis(900);

/// Rejected requests of this many seconds are counted.
const BACKLOG_SECONDS: i64 = 24 * 3_600;

/// Health of the gateway.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// The version of the gateway.
    pub version: &'static str,
    /// The time of this report.
    pub timestamp: Timestamp,
    /// Each check, with `ok`, `warn` or `fail`.
    #[schema(inline)]
    pub checks: Checks,
    /// Each endpoint, by provider and account.
    pub endpoints: Vec<EndpointHealth>,
    /// The queue in front of the database; null without one.
    pub queue: Option<QueueHealth>,
    /// Items that need attention, with the rejected requests of the last 24 hours; null if the database is unavailable.
    #[serde(rename = "waiting")]
    pub backlog: Option<Backlog>,
}

/// Health of one endpoint.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EndpointHealth {
    pub service_type: &'static str,
    pub account: String,
    /// Its path on the public listener.
    pub path: String,
    /// Its condition.
    #[serde(rename = "condition")]
    pub status: EndpointStatus,
    /// Its condition, in a sentence.
    pub sentence: String,
    /// Time of the last verified callback.
    #[serde(rename = "last_genuine_at")]
    pub last_verified_at: Option<Timestamp>,
    /// Seconds without a callback after which it counts as silent, derived from its own pauses.
    pub silent_after_seconds: Option<i64>,
    /// Requests at this gateway in the last hour.
    pub last_hour: Hour,
    /// The share of these that failed verification.
    pub share_rejected: Option<f64>,
    /// The last rejected request that is still stored.
    pub last_rejected: Option<LastRejected>,
    /// Callbacks that the provider does not sign by default.
    pub unsigned: Option<&'static str>,
}

/// A rejected request.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LastRejected {
    /// Its id, to show or replay it.
    pub id: String,
    /// Time of arrival.
    pub received_at: Timestamp,
    /// The cause of the rejection.
    pub cause: Option<String>,
    /// The finding of the verification doctor.
    pub finding: Option<String>,
}

/// The result of each check: `ok`, `warn` or `fail`.
pub type Checks = BTreeMap<&'static str, &'static str>;

/// The overall result: `healthy`, `degraded` or `unhealthy`.
pub fn summary(checks: &Checks) -> &'static str {
    let any = |word: &str| checks.values().any(|check| *check == word);
    match (any("fail"), any("warn")) {
        (true, _) => "unhealthy",
        (false, true) => "degraded",
        (false, false) => "healthy",
    }
}

fn check(is_ok: bool, otherwise: &'static str) -> &'static str {
    if is_ok { "ok" } else { otherwise }
}

impl Gateway {
    /// Runs the checks, on state that is at most a second old. A database that does not answer in time has failed.
    pub async fn check(self: Arc<Self>) -> Checks {
        if self.role == Role::Gateway {
            return self.checks_without_database();
        }
        let (turn, gateway) = (Arc::clone(&self.health_turn), Arc::clone(&self));
        let read = async {
            let turn = turn.acquire_owned().await;
            let read = move || {
                let is_reachable = gateway.store.is_reachable();
                let activities = if is_reachable { gateway.activities() } else { gateway.known_activities() };
                let state = (is_reachable, gateway.are_healthy(&activities));
                // Held until the database has answered, even if no check waits for it any more.
                drop(turn);
                state
            };
            tokio::task::spawn_blocking(read).await.unwrap_or_default()
        };
        let read = tokio::time::timeout(CHECK_TIMEOUT, read).await;
        let (is_reachable, are_healthy) = read.unwrap_or_else(|_| {
            self.store.note_unreachable();
            (false, self.are_healthy(&self.known_activities()))
        });
        let queue = self.queue();
        // Callbacks are accepted without the database while the queue takes them. A writer has nothing else to do.
        let is_accepting = self.role != Role::Writer && queue.as_ref().is_some_and(QueueHealth::accepts);
        let without_database = if is_accepting { "warn" } else { "fail" };
        let database = check(is_reachable && !self.intake.is_database_away(), without_database);
        let writer = check(self.store.is_writer_healthy(), without_database);
        let mut checks = Checks::from([
            ("database", database),
            ("verification", self.verification_check()),
            ("endpoints", check(are_healthy, "warn")),
            ("queue", check(self.store.has_room(), "warn")),
            ("writer", writer),
        ]);
        checks.extend(queue.map(|queue| (queue.kind.name(), queue.check(database == "ok" && writer == "ok"))));
        checks
    }

    /// The checks of a process that has no database.
    fn checks_without_database(&self) -> Checks {
        let mut checks = Checks::from([("verification", self.verification_check())]);
        checks.extend(self.queue().map(|queue| (queue.kind.name(), queue.check(true))));
        checks
    }

    fn verification_check(&self) -> &'static str {
        check(self.router().iter().all(|endpoint| endpoint.unverified.is_none()), "warn")
    }

    /// The report with these checks. Blocks.
    pub fn health(&self, checks: Checks) -> Health {
        self.report(checks, self.endpoints_health(), self.backlog().ok())
    }

    /// The report with these checks and what is known without the database.
    pub fn known_health(&self, checks: Checks) -> Health {
        self.report(checks, self.endpoints_health_with(&self.known_activities(), |_| None), None)
    }

    fn report(&self, checks: Checks, endpoints: Vec<EndpointHealth>, backlog: Option<Backlog>) -> Health {
        Health {
            status: summary(&checks),
            version: env!("CARGO_PKG_VERSION"),
            timestamp: self.clock.now(),
            checks,
            endpoints,
            queue: self.queue(),
            backlog,
        }
    }

    /// The health of each endpoint, sorted by name. Blocks.
    pub fn endpoints_health(&self) -> Vec<EndpointHealth> {
        self.endpoints_health_with(&self.activities(), |endpoint| self.last_rejected(endpoint))
    }

    fn endpoints_health_with(
        &self,
        activities: &Activities,
        last_rejected: impl Fn(&Endpoint) -> Option<LastRejected>,
    ) -> Vec<EndpointHealth> {
        let router = self.router();
        let health =
            |endpoint: &Endpoint| self.endpoint_health(endpoint, activity(activities, endpoint), last_rejected(endpoint));
        let mut all: Vec<EndpointHealth> = router.iter().map(health).collect();
        all.sort_by(|one, other| (one.service_type, &one.account).cmp(&(other.service_type, &other.account)));
        all
    }

    fn endpoint_health(
        &self,
        endpoint: &Endpoint,
        activity: EndpointActivity,
        last_rejected: Option<LastRejected>,
    ) -> EndpointHealth {
        let hour = endpoint.metrics.last_hour();
        let status = self.endpoint_status(endpoint, activity);
        EndpointHealth {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            path: endpoint.path(),
            status,
            sentence: sentence(status, activity),
            last_verified_at: activity.last,
            silent_after_seconds: activity.last.map(|_| silence_threshold(activity)),
            last_hour: hour,
            share_rejected: hour.share_rejected(),
            last_rejected,
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

    fn backlog(&self) -> Result<Backlog, StoreError> {
        let since = Timestamp::from_seconds(self.clock.now().seconds().saturating_sub(BACKLOG_SECONDS).max(0));
        self.store.backlog(since.unwrap_or(self.clock.now()))
    }

    fn are_healthy(&self, activities: &Activities) -> bool {
        let degrades = |endpoint: &Endpoint| {
            let activity = activity(activities, endpoint);
            self.endpoint_status(endpoint, activity).degrades_health(activity, self.clock.now())
        };
        !self.router().iter().any(degrades)
    }

    fn endpoint_status(&self, endpoint: &Endpoint, activity: EndpointActivity) -> EndpointStatus {
        endpoint_status::status(activity, endpoint.metrics.last_hour(), endpoint.unverified.is_some(), self.clock.now())
    }

    /// The activity of the endpoints: the last known one while the database does not answer.
    fn activities(&self) -> Arc<Activities> {
        if let Some((read_at, activities)) = self.last_activities()
            && read_at.elapsed() <= MAX_AGE
        {
            return activities;
        }
        let turn = self.activities_turn.try_lock();
        if let (Err(TryLockError::WouldBlock), Some((_, activities))) = (&turn, self.last_activities()) {
            // Another thread reads it, or waits for a database that does not answer.
            return activities;
        }
        let _turn = turn.or_else(|_| self.activities_turn.lock()).unwrap_or_else(PoisonError::into_inner);
        let activities = self.store.activities().map_or_else(|_| self.known_activities(), Arc::new);
        *self.activities.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&activities)));
        activities
    }

    /// The activity of the endpoints when it was read last.
    fn known_activities(&self) -> Arc<Activities> {
        self.last_activities().map(|(_, activities)| activities).unwrap_or_default()
    }

    fn last_activities(&self) -> Option<(Instant, Arc<Activities>)> {
        self.activities.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn activity(activities: &Activities, endpoint: &Endpoint) -> EndpointActivity {
    activities.of(endpoint.spec.name, endpoint.account.as_str())
}

fn sentence(status: EndpointStatus, activity: EndpointActivity) -> String {
    let last = activity.last.map(|at| at.to_string()).unwrap_or_default();
    match status {
        EndpointStatus::Ok => format!("Last verified callback at {last}."),
        EndpointStatus::NeverHeard => "No verified callback yet: paste the URL at the provider.".to_owned(),
        EndpointStatus::Silent => {
            format!("No verified callback since {last}, which is unusually long: check the provider's console.")
        }
        EndpointStatus::AllRejected => "All requests of the last hour were rejected: see the finding of the last one.".to_owned(),
        EndpointStatus::Unverified => "Callbacks are not verified: VERIFY_WEBHOOK_SIGNATURES is false.".to_owned(),
    }
}
