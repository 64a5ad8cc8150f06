//! What operations look up, page by page: newest first, by filters, each with an index that has the rows in this order.
//!
//! A page begins behind a row of the page before, not at a number of rows: what is inserted meanwhile moves nothing.

mod calls;
mod cursor;
mod documents;
mod events;
mod inbound;
mod messages;
mod requests;
mod rooms;
mod stats;

pub use self::{
    calls::{Call, CallFilter},
    cursor::{Cursor, NotACursor, Page},
    documents::Document,
    events::{FeedCursor, FeedPage, StoredEvent},
    inbound::{InboundFilter, InboundMessage},
    messages::{Message, MessageFilter},
    requests::{NotARequestId, RequestFilter, RequestId, RequestState, StoredRequest},
    rooms::{Room, RoomFilter},
    stats::{Bucket, Figures, Stats, StatsFilter},
};
pub(super) use self::{cursor::Place, events::Horizon};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// What can be looked up. All of it blocks.
impl Store {
    /// Messages, newest first.
    pub fn messages(&self, filter: &MessageFilter) -> Result<Page<Message>, StoreError> {
        self.read(|c| messages::messages(c, filter))
    }

    /// One message.
    pub fn message(&self, id: i64) -> Result<Option<Message>, StoreError> {
        self.read(|c| messages::message(c, id))
    }

    /// Its events as they came, a thousand at the most.
    pub fn events_of_message(&self, message: &Message) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|c| events::events_of(c, message))
    }

    /// The feed of all events behind a place, in an order to which nothing is ever added but at its end.
    pub fn events_after(&self, after: FeedCursor, limit: i64) -> Result<FeedPage, StoreError> {
        self.read(|c| events::events_after(c, after, limit))
    }

    /// The end of the feed as it is now.
    pub fn newest_event(&self) -> Result<FeedCursor, StoreError> {
        self.read(events::newest)
    }

    /// Requests, newest first: authentic ones, unless rejected ones are asked for.
    pub fn requests(&self, filter: &RequestFilter) -> Result<Page<StoredRequest>, StoreError> {
        self.read(|c| match filter.state {
            Some(RequestState::Rejected) => requests::rejected(c, filter),
            _ => requests::requests(c, filter),
        })
    }

    /// One request.
    pub fn request(&self, id: RequestId) -> Result<Option<StoredRequest>, StoreError> {
        self.read(|c| requests::request(c, id))
    }

    /// The exact bytes of a request's body; none once they have expired.
    pub fn request_body(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| requests::body(c, id))
    }

    /// Inbound messages, newest first.
    pub fn inbound(&self, filter: &InboundFilter) -> Result<Page<InboundMessage>, StoreError> {
        self.read(|c| inbound::inbound(c, filter))
    }

    /// Calls, newest first.
    pub fn calls(&self, filter: &CallFilter) -> Result<Page<Call>, StoreError> {
        self.read(|c| calls::calls(c, filter))
    }

    /// Video rooms, newest first.
    pub fn rooms(&self, filter: &RoomFilter) -> Result<Page<Room>, StoreError> {
        self.read(|c| rooms::rooms(c, filter))
    }

    /// How messages fared in periods that [`StatsFilter::starts`] gave.
    pub fn stats(&self, filter: &StatsFilter, starts: Vec<Timestamp>) -> Result<Stats, StoreError> {
        self.read(|c| stats::stats(c, filter, starts))
    }
}

/// Narrows a boxed query by every column for which the filter has a value.
macro_rules! narrow {
    ($query:ident, $filter:ident, $table:ident: $($column:ident),+) => {
        $(if let Some(value) = &$filter.$column {
            $query = $query.filter($table::$column.eq(value));
        })+
    };
}
use narrow;

/// Loads one page of a boxed query of rows, each with its place: those in the filter's window, behind its cursor.
macro_rules! page {
    ($query:ident, $connection:ident, $filter:ident, $table:ident, $instant:ident) => {{
        let mut query = $query.order(($table::$instant.desc(), $table::id.desc())).limit($filter.limit.saturating_add(1));
        if let Some(since) = $filter.since {
            query = query.filter($table::$instant.ge(since.naive()));
        }
        // Of two upper bounds an index may be entered at the wrong one, so the cursor stands alone where it is the lower.
        match (&$filter.cursor, $filter.until) {
            (Some(cursor), Some(until)) if !cursor.is_before(until) => {
                query = query.filter(super::cursor::older($table::$instant, $table::id, cursor));
                query = query.filter($table::$instant.lt(until.naive()));
            }
            (Some(cursor), _) => query = query.filter(super::cursor::older($table::$instant, $table::id, cursor)),
            (None, Some(until)) => query = query.filter($table::$instant.lt(until.naive())),
            (None, None) => {}
        }
        query.load($connection)?
    }};
}
use page;
