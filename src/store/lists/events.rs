//! Events of a message, and the feed of all events: in an order to which nothing is ever added but at its end.

use std::{fmt, str::FromStr};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper};
use serde::{Serialize, Serializer};

use super::{Document, Message, NotACursor, cursor::behind};
use crate::{
    store::{
        connection::{Connection, on_either},
        schema::webhook_events as e,
    },
    time::Timestamp,
};

/// Events of one message that are shown.
const MAX_OF_MESSAGE: i64 = 1_000;

/// One normalized fact as it is stored.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, utoipa::ToSchema)]
#[diesel(table_name = e)]
#[expect(missing_docs, reason = "the columns of `webhook_events`")]
pub struct StoredEvent {
    /// Its place in the feed.
    #[diesel(embed)]
    #[schema(value_type = String, example = "7012-345")]
    pub cursor: FeedCursor,
    pub id: i64,
    pub request_id: Option<i64>,
    pub service_type: String,
    pub account: String,
    pub external_id: Option<String>,
    pub recipient_key: String,
    pub event_type: String,
    pub provider_type: Option<String>,
    pub status: Option<String>,
    pub provider_status: Option<String>,
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub detail: Document,
    /// Which rule decided about it when it came.
    pub applied_rule: Option<String>,
    /// How often the same fact came again in another request.
    pub duplicate_count: i64,
}

/// A place in the feed: behind one event. The first is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Queryable, Selectable)]
#[diesel(table_name = e)]
pub struct FeedCursor {
    txid: i64,
    id: i64,
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.txid, self.id)
    }
}

impl FromStr for FeedCursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(NotACursor)
        };
        let (txid, id) = text.split_once('-').ok_or(NotACursor)?;
        Ok(Self { txid: number(txid)?, id: number(id)? })
    }
}

impl Serialize for FeedCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Some events of the feed, oldest first.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// What to ask for next, also where nothing new has come.
    pub next: FeedCursor,
    /// Whether there may be more at once.
    pub has_more: bool,
}

/// What is asked of either database.
pub(in crate::store) trait Horizon {
    /// The first transaction that may still commit. All before it have ended, and whatever comes has a greater number.
    fn horizon(&mut self) -> QueryResult<i64>;
}

/// The events behind a place, as far as nothing can come in between any more: numbers are given when a row is inserted, but
/// rows are seen when they are committed, so a reader who goes by numbers alone would pass over the slower of two writers.
pub(super) fn events_after(connection: &mut Connection, after: FeedCursor, limit: i64) -> QueryResult<FeedPage> {
    let events: Vec<StoredEvent> = on_either!(connection, c => {
        // Asked before the rows: whoever had ended then is seen whole.
        let horizon = c.horizon()?;
        e::table
            .filter(behind(e::txid, e::id, (after.txid, after.id)))
            .filter(e::txid.lt(horizon))
            .order((e::txid, e::id))
            .limit(limit)
            .select(StoredEvent::as_select())
            .load(c)?
    });
    let has_more = i64::try_from(events.len()).is_ok_and(|count| count == limit);
    Ok(FeedPage { next: events.last().map_or(after, |event| event.cursor), events, has_more })
}

/// The end of the feed as it is now.
pub(super) fn newest(connection: &mut Connection) -> QueryResult<FeedCursor> {
    let last: Option<(i64, i64)> = on_either!(connection, c => {
        let horizon = c.horizon()?;
        e::table.filter(e::txid.lt(horizon)).order((e::txid.desc(), e::id.desc())).select((e::txid, e::id)).first(c).optional()?
    });
    Ok(last.map_or_else(FeedCursor::default, |(txid, id)| FeedCursor { txid, id }))
}

/// The events of a message as they came.
pub(super) fn events_of(connection: &mut Connection, message: &Message) -> QueryResult<Vec<StoredEvent>> {
    on_either!(connection, c => {
        e::table
            .filter(e::service_type.eq(&message.service_type))
            .filter(e::account.eq(&message.account))
            .filter(e::external_id.eq(&message.external_id))
            .filter(e::recipient_key.eq(&message.recipient_key))
            .order((e::received_at, e::id))
            .limit(MAX_OF_MESSAGE)
            .select(StoredEvent::as_select())
            .load(c)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_feed_is_read_as_it_was_written_and_nothing_else_is() {
        let place = FeedCursor { txid: 12, id: 345 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "12", "12-", "-3", "12--3", "+1-2", "1-2-3", "x-y", "99999999999999999999-1"] {
            assert_eq!(wrong.parse::<FeedCursor>(), Err(NotACursor), "{wrong}");
        }
    }
}
