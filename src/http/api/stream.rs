//! `GET /api/events/stream`: the feed as server-sent events. Each carries its place, with which a browser asks again by itself
//! after a break.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use std::time::Duration;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    http::header,
    rt::time::{Interval, interval},
    web::{Bytes, Data, block},
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::{
    Problems,
    ask::look,
    events::After,
    query::{self, Value, value},
};
use crate::{
    gateway::Gateway,
    http::problem,
    store::{FeedCursor, FeedPage},
};

/// How often the feed is looked at, and after how many looks at nothing a comment shows that the line is open.
const POLL: Duration = Duration::from_secs(1);
const QUIET: u32 = 10;

/// Events that are sent together.
const TOGETHER: i64 = 200;

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StreamQuery {
    /// As in `/api/events`; otherwise only what is still to come. The header `Last-Event-ID` counts more.
    #[serde(default, deserialize_with = "value")]
    #[param(inline)]
    after: Option<After>,
}

/// Events as they come, as server-sent events.
#[utoipa::path(get, path = "/api/events/stream", operation_id = "stream_events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that was seen")),
    responses((status = 200, description = "An endless stream: `id` is the cursor, `data` the event", body = String,
        content_type = "text/event-stream"), Problems),
    security(("bearer" = []), ("basic" = [])))]
pub(in crate::http) async fn stream(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let asked = match query::read::<StreamQuery>(&request) {
        Ok(query) => query.after.unwrap_or(After::Now),
        Err(detail) => return problem::invalid_query(detail),
    };
    let last = request.headers().get("last-event-id").map(|last| last.to_str().ok().and_then(|last| After::read(last).ok()));
    let Some(after) = last.unwrap_or(Some(asked)) else {
        return problem::invalid_query("Last-Event-ID: expected the id of an event of this stream");
    };
    let Ok(place) = std::sync::Arc::clone(&gateway.streams).try_acquire_owned() else {
        return problem::too_many_streams();
    };
    let after = match look(gateway.clone(), move |store| after.place(store)).await {
        Ok(after) => after,
        Err(instead) => return instead,
    };
    let feed = Feed { gateway, after, has_more: false, quiet: 0, is_new: true, timer: interval(POLL), _place: place };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that collect answers would hold back what has come.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::stream::unfold(feed, Feed::next))
}

/// A reader of the feed.
struct Feed {
    gateway: Data<Gateway>,
    after: FeedCursor,
    has_more: bool,
    quiet: u32,
    is_new: bool,
    timer: Interval,
    /// One of the streams that may be open.
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// What to send next; nothing when the gateway stops.
    async fn next(mut self) -> Option<(Result<Bytes, Error>, Self)> {
        if self.is_new {
            self.is_new = false;
            // Without data it is no event, but the place is kept: a break before the first event is none.
            return Some((Ok(Bytes::from(format!("retry: 2000\nid: {}\n\n", self.after))), self));
        }
        loop {
            if !self.has_more {
                self.timer.tick().await;
            }
            if self.gateway.is_stopping() {
                return None;
            }
            let (gateway, after) = (self.gateway.clone(), self.after);
            let page = block(move || gateway.store.events_after(after, TOGETHER)).await;
            if let Ok(Ok(FeedPage { events, next, has_more })) = page {
                (self.after, self.has_more) = (next, has_more);
                if !events.is_empty() {
                    self.quiet = 0;
                    let sent: String = events
                        .iter()
                        .filter_map(|event| {
                            Some(format!("id: {}\ndata: {}\n\n", event.cursor, serde_json::to_string(event).ok()?))
                        })
                        .collect();
                    return Some((Ok(Bytes::from(sent)), self));
                }
            } else {
                // It goes on where it is when the database is back.
                self.has_more = false;
            }
            self.quiet += 1;
            if self.quiet >= QUIET {
                self.quiet = 0;
                return Some((Ok(Bytes::from_static(b": nothing new\n\n")), self));
            }
        }
    }
}
