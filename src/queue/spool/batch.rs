//! Requests that are drained together.

use std::sync::Arc;

use super::{
    file::{FileError, Row},
    segment::Segment,
};
use crate::queue::{
    QueuedRequest, Unreadable,
    drain::{Drain, Parsed},
};

/// The limit on the bytes of one batch.
const MAX_BYTES: usize = 8 << 20;

/// Consecutive requests of a segment, read and parsed.
pub(super) struct Batch {
    pub(super) rows: Vec<(i64, Row)>,
    /// `None` for a request that cannot be read.
    pub(super) requests: Vec<Option<Parsed>>,
    segment: Arc<Segment>,
}

impl Batch {
    /// The requests after an id: at most that many. Ends before one of a later version.
    pub(super) fn read(segment: &Arc<Segment>, after: i64, most: i64, drain: &Drain) -> Result<Self, FileError> {
        let mut rows = segment.read(after, most, MAX_BYTES)?;
        let mut requests = Vec::with_capacity(rows.len());
        for (_, row) in &rows {
            match QueuedRequest::from_parts(row.head.as_bytes(), row.body.clone()) {
                Err(Unreadable::Newer) => break,
                request => requests.push(request.ok().map(|request| drain.parse(request))),
            }
        }
        rows.truncate(requests.len());
        if rows.is_empty() { Err(FileError::Newer) } else { Ok(Self { rows, requests, segment: Arc::clone(segment) }) }
    }

    /// True if these are the next requests of that segment.
    pub(super) fn is_next_of(&self, segment: &Arc<Segment>) -> bool {
        Arc::ptr_eq(&self.segment, segment) && self.rows.first().is_some_and(|(id, _)| *id == segment.drained() + 1)
    }

    /// The id of its last request.
    pub(super) fn last(&self) -> i64 {
        self.rows.last().map_or(0, |(id, _)| *id)
    }

    /// The time of receipt of its first request.
    pub(super) fn oldest(&self) -> i64 {
        self.rows.first().map_or(0, |(_, row)| row.received_at)
    }
}
