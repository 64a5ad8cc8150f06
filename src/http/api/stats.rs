//! `GET /api/stats`: delivery, open and click rates per provider and period.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use actix_web::{HttpRequest, HttpResponse, web::Data};
use chrono::TimeDelta;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Problems,
    ask::ask,
    query::{self, ServiceType, value},
};
use crate::{
    gateway::Gateway,
    http::problem,
    store::{Bucket, Stats, StatsFilter},
    time::Timestamp,
};

/// Of what range.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StatsQuery {
    /// From the period in which this instant lies. Otherwise a day ago, or thirty days where periods are days.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    since: Option<Timestamp>,
    /// Before this instant; otherwise now.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    until: Option<Timestamp>,
    /// How long a period is.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    bucket: Option<Bucket>,
    /// Of one provider.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    service_type: Option<ServiceType>,
}

impl StatsQuery {
    fn filter(self, now: Timestamp) -> StatsFilter {
        let bucket = self.bucket.unwrap_or_default();
        let until = self.until.unwrap_or(now);
        let range = match bucket {
            Bucket::Hour => TimeDelta::days(1),
            Bucket::Day => TimeDelta::days(30),
        };
        let since = self.since.unwrap_or_else(|| Timestamp::from_naive(until.naive() - range));
        StatsFilter { since, until, bucket, service_type: self.service_type.map(|provider| provider.0) }
    }
}

/// How messages fared, per provider and period.
#[utoipa::path(get, path = "/api/stats", operation_id = "get_stats", tag = "stats", params(StatsQuery),
    responses((status = 200, description = "Figures", body = Stats), Problems))]
pub(in crate::http) async fn stats(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let filter = match query::read::<StatsQuery>(&request) {
        Ok(query) => query.filter(gateway.clock.now()),
        Err(detail) => return problem::invalid_query(detail),
    };
    let Some(starts) = filter.starts() else {
        return problem::invalid_query("since must be before until, and the range have 800 periods at the most");
    };
    ask(gateway, move |store| store.stats(&filter, starts)).await
}
