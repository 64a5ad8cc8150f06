//! `GET /api/events`: the append-only feed of all events. Resuming from `next` neither skips nor repeats an event.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{
    parameters::{Limit, Parameter, ServiceType, Text, parse_optional, schema},
    store_query::respond_to,
};
use crate::{
    gateway::Gateway,
    http::api_error::ErrorResponses,
    store::{FeedCursor, FeedFilter, Store, StoreError, StoredEvent},
    time::Timestamp,
};

/// Start of the feed.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::http) enum FeedStart {
    /// The beginning of the feed.
    #[default]
    Beginning,
    /// The current end of the feed.
    End,
    /// After that event.
    After(FeedCursor),
}

schema!(FeedStart: ObjectBuilder::new()
    .schema_type(Type::String)
    .pattern(Some("^(now|[0-9]{1,18}-[0-9]{1,18})?$"))
    .examples(["7012-345"]));

impl Parameter for FeedStart {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Ok(Self::Beginning),
            "now" => Ok(Self::End),
            cursor => FeedCursor::from_str(cursor)
                .map(Self::After)
                .map_err(|_| "after: expected the next or cursor of a response, now, or nothing"),
        }
    }
}

impl FeedStart {
    /// The position in the feed. Blocks.
    pub(super) fn cursor(self, store: &Store) -> Result<FeedCursor, StoreError> {
        match self {
            Self::Beginning => Ok(FeedCursor::default()),
            Self::End => store.feed_end(),
            Self::After(cursor) => Ok(cursor),
        }
    }
}

/// Selects events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EventsQuery {
    /// `next` of the previous response, or the `cursor` of an event. Default: from the first event; `now`: only future events.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    after: Option<FeedStart>,
    /// Only this provider.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    service_type: Option<ServiceType>,
    /// Only this account, as in its URL.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    account: Option<Text>,
    /// Only events received from this time on.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    since: Option<Timestamp>,
    /// Only events received before this time.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    until: Option<Timestamp>,
    /// Maximum number of events.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    limit: Option<Limit>,
}

/// Events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EventPage {
    /// The events.
    events: Vec<StoredEvent>,
    /// The next value of `after`, also if there are no new events.
    #[schema(value_type = String, example = "7012-345")]
    next: FeedCursor,
    /// True if there may be more events now. With a filter, a page may be short or empty although it is true.
    has_more: bool,
}

/// Events after a position in the feed, oldest first.
#[utoipa::path(get, path = "/api/events", operation_id = "list_events", tag = "events", params(EventsQuery),
    responses((status = 200, description = "Events", body = EventPage), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: EventsQuery| {
        let after = parameters.after.unwrap_or_default().cursor(store)?;
        let filter = FeedFilter {
            service_type: parameters.service_type.map(|provider| provider.0),
            account: parameters.account.map(|text| text.0),
            since: parameters.since,
            until: parameters.until,
            limit: Limit::or_default(parameters.limit),
        };
        let page = store.search_events(after, &filter)?;
        Ok(EventPage { events: page.events, next: page.next, has_more: page.has_more })
    })
    .await
}
