//! Whether an endpoint's callbacks come, from what is stored of them.

use super::{
    part::{Badge, Moment, Prose, Tone},
    problem::Problem,
    visit::Visit,
};
use crate::{
    endpoint::Endpoint,
    store::{RequestFilter, RequestState, Store, StoreError, StoredRequest},
};

/// One endpoint's health.
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// Its name in addresses: provider and account.
    pub(super) anchor: String,
    /// Its name for people.
    pub(super) name: String,
    pub(super) state: Badge,
    pub(super) last_genuine: Moment,
    pub(super) last_rejected: Moment,
    /// What was wrong with the last that was rejected.
    pub(super) cause: Option<String>,
    /// What would help.
    pub(super) finding: Option<Prose>,
    pub(super) is_unverified: bool,
}

/// Which endpoint.
struct Asked {
    service_type: &'static str,
    account: String,
    anchor: String,
    name: String,
    is_unverified: bool,
}

/// All endpoints' health, in the order of their names.
pub(super) async fn all(visit: &Visit) -> Result<Vec<Health>, Problem> {
    let mut asked: Vec<Asked> = visit.gateway.endpoints().map(Asked::new).collect();
    asked.sort_by(|one, other| one.anchor.cmp(&other.anchor));
    let seen = visit.ask(move |store| asked.into_iter().map(|asked| asked.look(store)).collect::<Result<Vec<_>, _>>()).await?;
    Ok(seen.into_iter().map(|(asked, genuine, rejected)| asked.health(visit, genuine, rejected)).collect())
}

/// An endpoint's name in addresses.
pub(super) fn anchor(endpoint: &Endpoint) -> String {
    format!("{}-{}", endpoint.spec.name, endpoint.account.as_str())
}

type Seen = (Asked, Option<StoredRequest>, Option<StoredRequest>);

impl Asked {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            anchor: anchor(endpoint),
            name: super::part::endpoint(endpoint.spec.name, endpoint.account.as_str()),
            is_unverified: endpoint.unverified.is_some(),
        }
    }

    /// The last request that was genuine, and the last that was not.
    fn look(self, store: &Store) -> Result<Seen, StoreError> {
        let last = |state| {
            let (service_type, account) = (Some(self.service_type), Some(self.account.clone()));
            store.requests(&RequestFilter { state, service_type, account, limit: 1, ..RequestFilter::default() })
        };
        let (genuine, rejected) = (last(None)?, last(Some(RequestState::Rejected))?);
        Ok((self, genuine.items.into_iter().next(), rejected.items.into_iter().next()))
    }

    fn health(self, visit: &Visit, genuine: Option<StoredRequest>, rejected: Option<StoredRequest>) -> Health {
        let at = |request: &Option<StoredRequest>| request.as_ref().map(|request| request.received_at);
        let (last_genuine, last_rejected) = (at(&genuine), at(&rejected));
        let state = match (self.is_unverified, last_genuine, last_rejected) {
            (true, ..) => Badge::new(Tone::Bad, "nothing is verified"),
            (false, None, None) => Badge::new(Tone::Idle, "nothing came yet"),
            (false, genuine, Some(rejected)) if genuine.is_none_or(|genuine| genuine < rejected) => {
                Badge::new(Tone::Bad, "the last was rejected")
            }
            (false, ..) => Badge::new(Tone::Good, "callbacks come"),
        };
        Health {
            anchor: self.anchor,
            name: self.name,
            state,
            last_genuine: visit.moment(last_genuine),
            last_rejected: visit.moment(last_rejected),
            cause: rejected.as_ref().and_then(|request| request.reason.clone()),
            finding: rejected.and_then(|request| request.finding).as_deref().map(Prose::new),
            is_unverified: self.is_unverified,
        }
    }
}
