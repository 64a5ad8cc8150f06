//! Health of the endpoints, as shown on the overview and the page of endpoints.

use super::{
    components::{Badge, Markup, RelativeTime, Severity, endpoint_name},
    context::Context,
    error_page::ErrorPage,
};
use crate::{endpoint::Endpoint, endpoint_status::EndpointStatus, health::EndpointHealth, http::query::Class};

#[derive(Clone, Debug)]
pub(super) struct EndpointView {
    /// Fragment of its URL on the page of endpoints.
    pub(super) anchor: String,
    pub(super) name: String,
    pub(super) status: Badge,
    /// The status as a sentence.
    pub(super) sentence: String,
    /// Counts of the last hour.
    pub(super) last_hour: String,
    pub(super) last_verified: RelativeTime,
    pub(super) last_rejected: RelativeTime,
    /// Cause of the last rejection.
    pub(super) rejection_cause: Option<String>,
    /// The doctor's finding about the last rejection.
    pub(super) finding: Option<Markup>,
    pub(super) is_unverified: bool,
}

/// Health of all endpoints, ordered by name.
pub(super) async fn endpoints(context: &Context) -> Result<Vec<EndpointView>, ErrorPage> {
    let all = context.run(Class::List, |gateway| Ok(gateway.endpoints_health())).await?;
    Ok(all.into_iter().map(|health| EndpointView::new(health, context)).collect())
}

pub(super) fn anchor(endpoint: &Endpoint) -> String {
    anchor_name(endpoint.spec.name, endpoint.account.as_str())
}

fn anchor_name(provider: &str, account: &str) -> String {
    format!("{provider}-{account}")
}

impl EndpointView {
    fn new(health: EndpointHealth, context: &Context) -> Self {
        let status = match health.status {
            EndpointStatus::Ok => Badge::new(Severity::Success, "receiving"),
            EndpointStatus::NeverHeard => Badge::new(Severity::Neutral, "no callbacks yet"),
            EndpointStatus::Silent => Badge::new(Severity::Warning, "silent"),
            EndpointStatus::AllRejected => Badge::new(Severity::Failure, "all rejected"),
            EndpointStatus::Unverified => Badge::new(Severity::Failure, "not verified"),
        };
        let (verified, rejected) = (health.last_hour.verified, health.last_hour.rejected);
        let last_rejected = health.last_rejected;
        Self {
            anchor: anchor_name(health.service_type, &health.account),
            name: endpoint_name(health.service_type, &health.account),
            status,
            sentence: health.sentence,
            last_hour: format!("Last hour: {verified} verified, {rejected} rejected."),
            last_verified: context.relative_time(health.last_verified_at),
            last_rejected: context.relative_time(last_rejected.as_ref().map(|last| last.received_at)),
            rejection_cause: last_rejected.as_ref().and_then(|last| last.cause.clone()),
            finding: last_rejected.and_then(|last| last.finding).as_deref().map(Markup::new),
            is_unverified: health.status == EndpointStatus::Unverified,
        }
    }
}
