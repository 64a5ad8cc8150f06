//! The overview: key figures, messages over time by provider, recent failures, and the health of the endpoints.

mod figures;

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde::Deserialize;
use strum::{EnumMessage, VariantArray};

use self::figures::{ProviderRow, Tile, provider_rows, ticks, tiles};
use super::{
    components::Severity,
    context::Context,
    error_page::{ErrorPage, PageError},
    health::{self, EndpointView},
    layout::{Layout, Link, Section},
    messages::Row,
    period::Period,
};
use crate::{
    gateway::Gateway,
    http::query::Class,
    status::Status,
    store::{Message, MessageFilter, Store, StoreError},
    time::Timestamp,
};

/// Number of recent failures shown.
const MAX_FAILURES: i64 = 8;

const HOUR: i64 = 3_600;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OverviewQuery {
    period: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    period: Period,
    tiles: Vec<Tile>,
    providers: Vec<ProviderRow>,
    ticks: Vec<String>,
    failures: Vec<Row>,
    endpoints: Vec<EndpointView>,
}

impl Page {
    fn periods(&self) -> impl Iterator<Item = Link> {
        Period::VARIANTS.iter().map(|period| Link {
            href: Section::Overview.with_query(&[("period", if *period == Period::Day { "" } else { period.as_ref() })]),
            label: period.get_message().unwrap_or_default().to_owned(),
            is_current: *period == self.period,
        })
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn legend(&self) -> [(Severity, &'static str); 4] {
        [
            (Severity::Success, "delivered"),
            (Severity::Pending, "in progress"),
            (Severity::Warning, "delayed or canceled"),
            (Severity::Failure, "failed (below the line)"),
        ]
    }
}

pub(super) async fn show(context: Context, query: Result<Query<OverviewQuery>, Error>) -> Result<HttpResponse, ErrorPage> {
    let invalid = || context.error(PageError::InvalidFilter);
    let OverviewQuery { period } = query.map_err(|_| invalid())?.into_inner();
    let period: Period = if period.is_empty() { Period::Day } else { period.parse().map_err(|_| invalid())? };
    let now = context.now;
    let filter = period.filter(now);
    let an_hour_ago = Timestamp::from_seconds(now.seconds() - HOUR).unwrap_or(now);
    let (stats, backlog, failures) = context
        .run(Class::Statistics, move |Gateway { store, .. }| {
            let starts = filter.starts().unwrap_or_default();
            Ok((store.stats(&filter, starts)?, store.backlog(an_hour_ago)?, recent_failures(store)?))
        })
        .await?;
    let page = Page {
        layout: context.layout(Section::Overview, "Overview"),
        period,
        tiles: tiles(period, &stats, backlog),
        ticks: ticks(period, &stats),
        providers: provider_rows(period, &stats),
        failures: failures.into_iter().map(|message| Row::new(message, &context)).collect(),
        endpoints: health::endpoints(&context).await?,
    };
    context.render(&page)
}

/// The newest failed messages. Each failure status is queried by itself, since a filter takes one status and the index serves that.
fn recent_failures(store: &Store) -> Result<Vec<Message>, StoreError> {
    let mut failures = Vec::new();
    for status in Status::VARIANTS.iter().copied().filter(|status| status.is_failure()) {
        let filter = MessageFilter { status: Some(status), limit: MAX_FAILURES, ..MessageFilter::default() };
        failures.extend(store.messages(&filter)?.items);
    }
    failures.sort_by_key(|message| std::cmp::Reverse((message.status_at.unwrap_or(message.created_at), message.id)));
    failures.truncate(usize::try_from(MAX_FAILURES).unwrap_or_default());
    Ok(failures)
}
