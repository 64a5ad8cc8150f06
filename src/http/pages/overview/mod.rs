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
    period::{Choice, Period},
    query::Filters,
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
    since: String,
    until: String,
}

impl OverviewQuery {
    /// The period; `Err` if it is not one.
    fn period(self, now: Timestamp) -> Result<(Period, Filters), ()> {
        let Self { period, since, until } = self;
        let filters = Filters { since, until, ..Filters::default() }.validated(now).ok_or(())?;
        let (since, until) = filters.range();
        let parsed = match (period.as_str(), since.or(until)) {
            ("", None) => Period::last(Choice::default(), now),
            (period, None) => Period::last(period.parse().map_err(|_| ())?, now),
            (_, Some(_)) => Period::range(since, until, now),
        };
        parsed.map(|period| (period, filters)).ok_or(())
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    period: Period,
    filters: Filters,
    tiles: Vec<Tile>,
    providers: Vec<ProviderRow>,
    ticks: Vec<String>,
    failures: Vec<Row>,
    endpoints: Vec<EndpointView>,
}

impl Page {
    fn periods(&self) -> impl Iterator<Item = Link> {
        Choice::VARIANTS.iter().map(|choice| Link {
            href: Section::Overview.with_query(&[("period", if *choice == Choice::default() { "" } else { choice.as_ref() })]),
            label: choice.get_message().unwrap_or_default().to_owned(),
            is_current: Some(*choice) == self.period.choice,
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
    let now = context.now;
    let (period, filters) = query.map_err(|_| invalid())?.into_inner().period(now).map_err(|()| invalid())?;
    let (filter, starts, until) = (period.filter, period.starts.clone(), period.until());
    let an_hour_ago = Timestamp::from_seconds(now.seconds() - HOUR).unwrap_or(now);
    let (counts, backlog, failures) = context
        .run(Class::Statistics, move |Gateway { store, .. }| {
            let failures = recent_failures(store, filter.since, until)?;
            Ok((store.stats(&filter, starts)?, store.backlog(an_hour_ago)?, failures))
        })
        .await?;
    let page = Page {
        layout: context.layout(Section::Overview, "Overview"),
        tiles: tiles(&period, &counts, backlog),
        ticks: ticks(&period, &counts),
        providers: provider_rows(&period, &counts),
        period,
        filters,
        failures: failures.into_iter().map(|message| Row::new(message, &context)).collect(),
        endpoints: health::endpoints(&context).await?,
    };
    context.render(&page)
}

/// The newest failed messages of the period. Each failure status is queried by itself, since a filter takes one status and the index serves that.
fn recent_failures(store: &Store, since: Timestamp, until: Option<Timestamp>) -> Result<Vec<Message>, StoreError> {
    let mut failures = Vec::new();
    for status in Status::VARIANTS.iter().copied().filter(|status| status.is_failure()) {
        let (status, since) = (Some(status), Some(since));
        let filter = MessageFilter { status, since, until, limit: MAX_FAILURES, ..MessageFilter::default() };
        failures.extend(store.messages(&filter)?.items);
    }
    failures.sort_by_key(|message| std::cmp::Reverse((message.status_at.unwrap_or(message.created_at), message.id)));
    failures.truncate(usize::try_from(MAX_FAILURES).unwrap_or_default());
    Ok(failures)
}
