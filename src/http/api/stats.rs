//! `GET /api/stats`: delivery, open and click rates per provider and period.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use actix_web::{HttpRequest, HttpResponse, web::Data};
use chrono::TimeDelta;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    parameters::{self, ServiceType, parse_optional},
    store_query::respond,
};
use crate::{
    gateway::Gateway,
    http::{
        api_error::{self, ErrorResponses},
        query::Class,
    },
    store::{Bucket, Stats, StatsFilter},
    time::Timestamp,
};

/// Selects the range.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StatsQuery {
    /// From the period that contains this time. Default: a day ago; if the periods are minutes an hour ago, if they are days 30 days ago.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    since: Option<Timestamp>,
    /// Before this time. Default: now.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    until: Option<Timestamp>,
    /// Length of a period.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    bucket: Option<Bucket>,
    /// Only this provider.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    service_type: Option<ServiceType>,
}

impl StatsQuery {
    fn filter(self, now: Timestamp) -> StatsFilter {
        let bucket = self.bucket.unwrap_or_default();
        let until = self.until.unwrap_or(now);
        let range = match bucket {
            Bucket::Minute => TimeDelta::hours(1),
            Bucket::Hour => TimeDelta::days(1),
            Bucket::Day => TimeDelta::days(30),
        };
        let since = self.since.unwrap_or_else(|| Timestamp::from_naive(until.naive() - range));
        StatsFilter { since, until, bucket, service_type: self.service_type.map(|provider| provider.0) }
    }
}

/// Delivery, open and click rates, per provider and period.
#[utoipa::path(get, path = "/api/stats", operation_id = "get_stats", tag = "stats", params(StatsQuery),
    responses((status = 200, description = "The statistics", body = Stats), ErrorResponses))]
pub(in crate::http) async fn stats(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let filter = match parameters::parse::<StatsQuery>(&request) {
        Ok(parameters) => parameters.filter(gateway.clock.now()),
        Err(detail) => return api_error::invalid_query(detail),
    };
    let Some(starts) = filter.starts() else {
        return api_error::invalid_query("since must be before until, and the range must have at most 800 periods");
    };
    respond(gateway, Class::Statistics, move |gateway| gateway.store.stats(&filter, starts)).await
}
