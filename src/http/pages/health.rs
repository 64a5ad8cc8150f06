//! Whether an endpoint's callbacks come, in words.

use actix_web::web::block;

use super::{
    part::{Badge, Moment, Prose, Tone, endpoint},
    problem::{Problem, Trouble},
    visit::Visit,
};
use crate::{endpoint::Endpoint, health::EndpointHealth, silence::Condition};

/// One endpoint's health.
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// Its name in addresses: provider and account.
    pub(super) anchor: String,
    /// Its name for people.
    pub(super) name: String,
    pub(super) state: Badge,
    /// The same in a sentence.
    pub(super) sentence: String,
    /// What came in the last hour.
    pub(super) hour: String,
    pub(super) last_genuine: Moment,
    pub(super) last_rejected: Moment,
    /// What was wrong with the last that was rejected.
    pub(super) cause: Option<String>,
    /// What would help.
    pub(super) finding: Option<Prose>,
    pub(super) is_unverified: bool,
}

/// All endpoints' health, in the order of their names.
pub(super) async fn all(visit: &Visit) -> Result<Vec<Health>, Problem> {
    let gateway = visit.gateway.clone();
    let all = block(move || gateway.endpoints_health()).await.map_err(|_| visit.problem(Trouble::Unavailable))?;
    Ok(all.into_iter().map(|health| Health::new(health, visit)).collect())
}

/// An endpoint's name in addresses.
pub(super) fn anchor(endpoint: &Endpoint) -> String {
    name(endpoint.spec.name, endpoint.account.as_str())
}

fn name(provider: &str, account: &str) -> String {
    format!("{provider}-{account}")
}

impl Health {
    fn new(health: EndpointHealth, visit: &Visit) -> Self {
        let state = match health.condition {
            Condition::Ok => Badge::new(Tone::Good, "callbacks come"),
            Condition::NeverHeard => Badge::new(Tone::Idle, "nothing came yet"),
            Condition::Silent => Badge::new(Tone::Warn, "silent"),
            Condition::AllRejected => Badge::new(Tone::Bad, "all rejected"),
            Condition::Unverified => Badge::new(Tone::Bad, "nothing is verified"),
        };
        let (genuine, rejected) = (health.last_hour.genuine, health.last_hour.rejected);
        let last = health.last_rejected;
        Self {
            anchor: name(health.service_type, &health.account),
            name: endpoint(health.service_type, &health.account),
            state,
            sentence: health.sentence,
            hour: format!("{genuine} genuine, {rejected} rejected in the last hour"),
            last_genuine: visit.moment(health.last_genuine_at),
            last_rejected: visit.moment(last.as_ref().map(|last| last.received_at)),
            cause: last.as_ref().and_then(|last| last.cause.clone()),
            finding: last.and_then(|last| last.finding).as_deref().map(Prose::new),
            is_unverified: health.condition == Condition::Unverified,
        }
    }
}
