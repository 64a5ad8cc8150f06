//! `GET /api/events`: the feed of all events, in an order to which nothing is ever added but at its end. Who asks again from
//! where the last answer ended misses nothing and gets nothing twice.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{
    Problems,
    ask::list,
    query::{Limit, Value, schema, value},
};
use crate::{
    gateway::Gateway,
    store::{FeedCursor, Store, StoreError, StoredEvent},
};

/// Where to begin.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::http) enum After {
    /// Before the first event.
    #[default]
    Start,
    /// Behind the last one of now.
    Now,
    /// Behind that one.
    Event(FeedCursor),
}

schema!(After: ObjectBuilder::new()
    .schema_type(Type::String)
    .pattern(Some("^(now|[0-9]{1,18}-[0-9]{1,18})?$"))
    .examples(["7012-345"]));

impl Value for After {
    fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Ok(Self::Start),
            "now" => Ok(Self::Now),
            cursor => {
                FeedCursor::from_str(cursor).map(Self::Event).map_err(|_| "after: expected next, a cursor, now, or nothing")
            }
        }
    }
}

impl After {
    /// The place in the feed. Blocks.
    pub(super) fn place(self, store: &Store) -> Result<FeedCursor, StoreError> {
        match self {
            Self::Start => Ok(FeedCursor::default()),
            Self::Now => store.newest_event(),
            Self::Event(cursor) => Ok(cursor),
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EventsQuery {
    /// `next` of the answer before, or an event's `cursor`. Empty: from the first event on; `now`: only what is still to come.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    after: Option<After>,
    /// Events at the most.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    limit: Option<Limit>,
}

/// Some events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EventPage {
    /// The events.
    events: Vec<StoredEvent>,
    /// What to ask for as `after` next, also where nothing new has come.
    #[schema(value_type = String, example = "7012-345")]
    next: FeedCursor,
    /// Whether there may be more at once.
    has_more: bool,
}

/// Events behind a place in the feed, oldest first.
#[utoipa::path(get, path = "/api/events", operation_id = "list_events", tag = "events", params(EventsQuery),
    responses((status = 200, description = "Some events", body = EventPage), Problems))]
pub(in crate::http) async fn after(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: EventsQuery| {
        let after = query.after.unwrap_or_default().place(store)?;
        let page = store.events_after(after, Limit::or_default(query.limit))?;
        Ok(EventPage { events: page.events, next: page.next, has_more: page.has_more })
    })
    .await
}
