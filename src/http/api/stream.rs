//! `GET /api/events/stream`: the feed as server-sent events. Each carries its cursor as its id, so that a client resumes where a
//! connection broke.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use std::{sync::Arc, time::Duration};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    http::{Method, header},
    rt::time::{Interval, interval},
    web::{Bytes, Data},
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::{
    events::FeedStart,
    parameters::{self, Parameter, parse_optional},
    store_query,
};
use crate::{
    gateway::{Gateway, Tokens},
    http::{
        api_error::{self, ErrorResponses},
        query::{self, Class},
    },
    store::{FeedCursor, FeedPage, StoredEvent},
};

const EVENT_STREAM: &str = "text/event-stream";

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Polls without events after which a comment is sent, so that proxies do not close an idle connection.
const POLLS_PER_KEEP_ALIVE: u32 = 10;

/// Maximum number of events sent at once.
const BATCH: i64 = 200;

/// Start of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StreamQuery {
    /// As in `/api/events`. Default: only future events. The header `Last-Event-ID` takes precedence.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    after: Option<FeedStart>,
}

/// New events as they arrive, as server-sent events.
#[utoipa::path(get, path = "/api/events/stream", operation_id = "stream_events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event received")),
    responses((status = 200, description = "An endless stream: `id` is the cursor, `data` the event", body = String,
        content_type = "text/event-stream"), ErrorResponses),
    security(("bearer" = []), ("basic" = [])))]
pub(in crate::http) async fn stream(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let requested = match parameters::parse::<StreamQuery>(&request) {
        Ok(parameters) => parameters.after.unwrap_or(FeedStart::End),
        Err(detail) => return api_error::invalid_query(detail),
    };
    let last_event =
        request.headers().get("last-event-id").map(|id| id.to_str().ok().and_then(|id| FeedStart::parse_text(id).ok()));
    let Some(start) = last_event.unwrap_or(Some(requested)) else {
        return api_error::invalid_query("Last-Event-ID: expected the id of an event of this stream");
    };
    if request.method() == Method::HEAD {
        return HttpResponse::Ok().content_type(EVENT_STREAM).finish();
    }
    let tokens = gateway.tokens.get();
    let Ok(permit) = Arc::clone(&gateway.streams).try_acquire_owned() else {
        return api_error::too_many_streams();
    };
    let cursor = match store_query::run(&gateway, Class::List, move |gateway| start.cursor(&gateway.store)).await {
        Ok(cursor) => cursor,
        Err(error) => return error,
    };
    let feed = Feed {
        gateway,
        cursor,
        has_more: false,
        empty_polls: 0,
        is_new: true,
        timer: interval(POLL_INTERVAL),
        tokens,
        _permit: permit,
    };
    HttpResponse::Ok()
        .content_type(EVENT_STREAM)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Keeps proxies from buffering events.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::stream::unfold(feed, Feed::next))
}

struct Feed {
    gateway: Data<Gateway>,
    cursor: FeedCursor,
    has_more: bool,
    empty_polls: u32,
    is_new: bool,
    timer: Interval,
    /// The tokens that allowed the stream.
    tokens: Arc<Tokens>,
    /// Counts against the limit of open streams.
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// The next chunk to send; `None` once the gateway stops, or another token is required.
    async fn next(mut self) -> Option<(Result<Bytes, Error>, Self)> {
        if self.is_new {
            self.is_new = false;
            // Without data this is no event, but clients store the id and so resume correctly even before the first event.
            return Some((Ok(Bytes::from(format!("retry: 2000\nid: {}\n\n", self.cursor))), self));
        }
        loop {
            if !self.has_more {
                self.timer.tick().await;
            }
            // A client with the new token connects again, and resumes.
            if self.gateway.is_stopping() || !Arc::ptr_eq(&self.tokens, &self.gateway.tokens.get()) {
                return None;
            }
            let cursor = self.cursor;
            let page = move |gateway: &Gateway| gateway.store.events_after(cursor, BATCH).map(|page| (written(&page), page));
            if let Ok((sent, FeedPage { next, has_more, .. })) = query::run(&self.gateway, Class::Stream, page).await {
                (self.cursor, self.has_more) = (next, has_more);
                if !sent.is_empty() {
                    self.empty_polls = 0;
                    return Some((Ok(Bytes::from(sent)), self));
                }
            } else {
                // The same position is polled again, until the database answers.
                self.has_more = false;
            }
            self.empty_polls += 1;
            if self.empty_polls >= POLLS_PER_KEEP_ALIVE {
                self.empty_polls = 0;
                return Some((Ok(Bytes::from_static(b": no new events\n\n")), self));
            }
        }
    }
}

fn written(page: &FeedPage) -> String {
    let event = |event: &StoredEvent| Some(format!("id: {}\ndata: {}\n\n", event.cursor, serde_json::to_string(event).ok()?));
    page.events.iter().filter_map(event).collect()
}
