//! Queries for the API and the operator's pages. Lists are filtered and paged, newest row first ([`scan`]).
//!
//! A page begins after the last row of the previous one instead of at an offset, so that inserted rows do not shift it.

pub(crate) mod activity;
mod address_lookup;
mod audit;
pub(crate) mod backlog;
mod calls;
pub(crate) mod counts;
mod cursor;
pub(crate) mod feed;
mod feed_search;
pub(crate) mod gauges;
pub(crate) mod health;
pub(crate) mod history;
mod inbound_messages;
mod json_text;
mod message_events;
mod messages;
pub(crate) mod ranges;
mod requests;
mod rooms;
mod scan;
mod size;
mod stats;
pub(crate) mod suppressions;

pub use self::{
    audit::{AuditEntry, AuditFilter},
    calls::{Call, CallFilter},
    cursor::{Cursor, CursorError, Page},
    feed::{FeedCursor, FeedPage, StoredEvent},
    feed_search::FeedFilter,
    inbound_messages::{InboundFilter, InboundMessage},
    json_text::JsonText,
    message_events::{EngagementCounts, MessageWithEvents},
    messages::{Message, MessageFilter},
    requests::{RequestFilter, RequestId, RequestIdError, RequestState, StoredRequest},
    rooms::{Room, RoomFilter},
    stats::{Bucket, MessageCounts, Stats, StatsFilter},
    suppressions::{Suppression, SuppressionFilter, SuppressionPage, SuppressionState},
};
use crate::{
    store::{Store, db::error::StoreError},
    time::Timestamp,
};

/// All queries block.
impl Store {
    /// Messages, newest first.
    pub fn messages(&self, filter: &MessageFilter) -> Result<Page<Message>, StoreError> {
        self.read(|c| messages::messages(c, filter))
    }

    pub fn message(&self, id: i64) -> Result<Option<Message>, StoreError> {
        self.read(|c| messages::message(c, id))
    }

    /// A message with its events in the order of arrival, at most a thousand.
    pub fn message_with_events(&self, id: i64) -> Result<Option<MessageWithEvents>, StoreError> {
        self.read(|c| {
            let Some(message) = messages::message(c, id)? else { return Ok(None) };
            let events = feed::events_of_message(c, &message)?;
            Ok(Some(MessageWithEvents::new(message, events)))
        })
    }

    /// The append-only feed of all events after a position.
    pub fn events_after(&self, after: FeedCursor, limit: i64) -> Result<FeedPage, StoreError> {
        self.read(|c| feed::events_after(c, after, limit))
    }

    /// The events after a position that match a filter. A page whose search ran out of time may have fewer than requested although there are
    /// more.
    pub fn search_events(&self, after: FeedCursor, filter: &FeedFilter) -> Result<FeedPage, StoreError> {
        self.read(|c| feed_search::events(c, after, filter))
    }

    /// The current end of the feed.
    pub fn feed_end(&self) -> Result<FeedCursor, StoreError> {
        self.read(feed::end)
    }

    /// Requests, newest first: verified ones, unless the filter selects rejected ones.
    pub fn requests(&self, filter: &RequestFilter) -> Result<Page<StoredRequest>, StoreError> {
        match filter.state {
            Some(RequestState::Rejected) => self.read_rejected(|c| requests::rejected(c, filter)),
            _ => self.read(|c| requests::requests(c, filter)),
        }
    }

    pub fn request(&self, id: RequestId) -> Result<Option<StoredRequest>, StoreError> {
        match id {
            RequestId::Verified(id) => self.read(|c| requests::verified_request(c, id)),
            RequestId::Rejected(id) => self.read_rejected(|c| requests::rejected_request(c, id)),
        }
    }

    /// The body of a request with its secrets and signatures masked, unless it has expired; of a rejected one perhaps only the beginning.
    pub fn request_body(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        match id {
            RequestId::Verified(id) => self.read(|c| requests::verified_body(c, id)),
            RequestId::Rejected(id) => self.read_rejected(|c| requests::rejected_body(c, id)),
        }
    }

    /// Inbound messages, newest first.
    pub fn inbound_messages(&self, filter: &InboundFilter) -> Result<Page<InboundMessage>, StoreError> {
        self.read(|c| inbound_messages::inbound(c, filter))
    }

    /// Calls, newest first.
    pub fn calls(&self, filter: &CallFilter) -> Result<Page<Call>, StoreError> {
        self.read(|c| calls::calls(c, filter))
    }

    /// Video rooms, newest first.
    pub fn rooms(&self, filter: &RoomFilter) -> Result<Page<Room>, StoreError> {
        self.read(|c| rooms::rooms(c, filter))
    }

    /// Suppressions, newest first.
    pub fn suppressions(&self, filter: &SuppressionFilter) -> Result<SuppressionPage, StoreError> {
        self.read(|c| suppressions::suppressions(c, filter))
    }

    /// The audit trail, newest entry first.
    pub fn audit_entries(&self, filter: &AuditFilter) -> Result<Page<AuditEntry>, StoreError> {
        self.read(|c| audit::entries(c, filter))
    }

    /// Delivery statistics for the periods of [`StatsFilter::starts`]; an error if counting takes too long.
    pub fn stats(&self, filter: &StatsFilter, starts: Vec<Timestamp>) -> Result<Stats, StoreError> {
        self.read(|c| stats::stats(c, filter, starts))?.ok_or(StoreError::TimedOut)
    }
}

/// Narrows a boxed query by each of the columns for which the filter has a value.
macro_rules! narrow {
    ($query:ident, $filter:ident, $table:ident: $($column:ident),+) => {
        $(if let Some(value) = &$filter.$column {
            $query = $query.filter($table::$column.eq(value));
        })+
    };
}
use narrow;

/// Declares the filter of a list: its own conditions and those of every list.
macro_rules! filter {
    ($(#[$attribute:meta])* pub struct $Filter:ident { $($(#[$condition:meta])* $name:ident: $Type:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default)]
        pub struct $Filter {
            pub service_type: Option<&'static str>,
            pub account: Option<String>,
            $($(#[$condition])* pub $name: $Type,)*
            /// Inclusive.
            pub since: Option<crate::time::Timestamp>,
            /// Exclusive.
            pub until: Option<crate::time::Timestamp>,
            pub cursor: Option<$crate::store::query::Cursor>,
            /// Maximum number of rows.
            pub limit: i64,
        }
    };
}
use filter;
