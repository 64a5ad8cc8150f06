//! Requests that the database does not take, in a segment of their own, so that they block no other. They are drained again later.

use std::sync::Arc;

use super::{
    file::{Appender, FileError, Row},
    segment::Segment,
    shared::Shared,
};
use crate::{log_throttle::LogThrottle, time::Clock};

/// The segment to which such requests are appended.
pub(super) struct Refused {
    shared: Arc<Shared>,
    active: Option<(Arc<Segment>, Appender)>,
    refusals: LogThrottle,
}

impl Refused {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), active: None, refusals: LogThrottle::default() }
    }

    /// Appends nothing more to the segment, if it is that one or none is given.
    pub(super) fn seal(&mut self, which: Option<&Arc<Segment>>) {
        let is_meant = |active: &mut (Arc<Segment>, Appender)| which.is_none_or(|which| Arc::ptr_eq(which, &active.0));
        if let Some((segment, appender)) = self.active.take_if(is_meant) {
            drop(appender);
            segment.seal();
        }
    }

    /// Stores requests durably.
    pub(super) fn append(&mut self, rows: &[Row]) -> Result<(), FileError> {
        if let Some(count) = self.refusals.count() {
            tracing::error!(
                requests = rows.len(),
                batches = count,
                "the database does not take requests of the spool: they stay there and are tried again every 30 seconds; \
                 logged at most once a minute"
            );
        }
        if self.active.is_none() {
            let (segment, appender) = Segment::create(&self.shared.folder, Clock::System.now(), true)?;
            let segment = Arc::new(segment);
            self.shared.add(&segment);
            self.active = Some((segment, appender));
        }
        let Some((segment, appender)) = &mut self.active else { return Ok(()) };
        let outcome = appender.append(segment.next(), rows).map_err(FileError::from);
        let outcome = outcome.and_then(|()| Ok(segment.appended(rows)?));
        if outcome.is_err() {
            self.seal(None);
        }
        self.shared.count_bytes();
        outcome
    }
}
