//! Pages of a list by id, newest first. Filters that match many rows are scanned backwards from the cursor, in steps of bounded time: a
//! page that runs out of time, or whose rows are large, has fewer rows than requested, and its cursor continues from there. Filters that match few rows have an
//! index, which yields candidates.

use std::time::{Duration, Instant};

use diesel::QueryResult;
use serde::Serialize;

use super::{
    Cursor, Page,
    ranges::{self, RangedTable},
    size::{self, MAX_BYTES},
};
use crate::{store::db::connection::Connection, time::Timestamp};

/// Time limit of one page.
pub(crate) const TIME_LIMIT: Duration = Duration::from_millis(40);

/// Ids that the first step scans, and the maximum; each further step doubles the number.
const FIRST_STEP: i64 = 1_024;
const MAX_STEP: i64 = 16_384;

/// Maximum number of candidates in one step.
pub(crate) const MAX_CANDIDATES: usize = 1_000;
pub(crate) const CANDIDATE_LIMIT: i64 = 1_000;

/// Returns the next candidates below an id, newest first; none at the end.
pub(crate) type Candidates<'f> = Box<dyn FnMut(&mut Connection, i64) -> QueryResult<Vec<i64>> + 'f>;

/// The rows that the next step reads.
pub(crate) enum Step {
    /// A half-open range of ids.
    Range(i64, i64),
    Ids(Vec<i64>),
}

/// The filter conditions and limit that all lists share.
#[derive(Clone, Copy)]
pub(crate) struct PageRequest<'f> {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) cursor: Option<&'f Cursor>,
    pub(crate) limit: i64,
}

/// A page that is being filled.
pub(crate) struct Scan<'f, T> {
    /// Rows below this id remain to be read.
    position: i64,
    /// The remaining ranges of ids, newest last.
    ranges: Vec<(i64, i64)>,
    candidates: Option<Candidates<'f>>,
    rows: Vec<(T, i64)>,
    /// The size of the rows.
    bytes: usize,
    limit: usize,
    /// True if the last step may have more rows below the last one.
    is_partial: bool,
    step: i64,
    started: Instant,
    is_at_end: bool,
}

impl<'f, T: Serialize> Scan<'f, T> {
    pub(crate) fn new(
        connection: &mut Connection,
        table: RangedTable,
        request: PageRequest<'_>,
        candidates: Option<Candidates<'f>>,
    ) -> QueryResult<Self> {
        let mut ranges = if request.since.is_some() || request.until.is_some() {
            ranges::within(connection, table, request.since, request.until)?
        } else {
            vec![(0, i64::MAX)]
        };
        // The newest range is popped first.
        ranges.reverse();
        let position = request.cursor.map_or(i64::MAX, |cursor| cursor.0);
        let position = match ranges.last_mut() {
            Some((_, high)) if candidates.is_none() && position == i64::MAX => {
                // No row is above the newest one.
                *high = ranges::newest_id(connection, table)? + 1;
                *high
            }
            _ => position,
        };
        Ok(Self {
            position,
            ranges,
            candidates,
            rows: Vec::new(),
            bytes: 0,
            is_partial: false,
            limit: usize::try_from(request.limit).unwrap_or(0),
            step: FIRST_STEP,
            started: Instant::now(),
            is_at_end: false,
        })
    }

    /// The next step; `None` once the page is full or large, the list is at its end or the time limit is reached.
    pub(crate) fn next(&mut self, connection: &mut Connection) -> QueryResult<Option<Step>> {
        // The time limit is for the search: steps that find rows are bounded by the page.
        let is_late = !self.is_partial && self.started.elapsed() > TIME_LIMIT;
        if self.rows.len() > self.limit || self.bytes > MAX_BYTES || self.is_at_end || is_late {
            return Ok(None);
        }
        let step = if self.candidates.is_some() { self.next_candidates(connection)? } else { self.next_range() };
        self.is_at_end = step.is_none();
        Ok(step)
    }

    /// The next candidates in the remaining ranges.
    fn next_candidates(&mut self, connection: &mut Connection) -> QueryResult<Option<Step>> {
        while let (Some((low, high)), Some(candidates)) = (self.ranges.last().copied(), &mut self.candidates) {
            let below = high.min(self.position);
            let mut ids = if below > low { candidates(connection, below)? } else { Vec::new() };
            ids.retain(|id| *id >= low);
            if let Some(last) = ids.last() {
                self.position = *last;
                return Ok(Some(Step::Ids(ids)));
            }
            self.ranges.pop();
        }
        Ok(None)
    }

    fn next_range(&mut self) -> Option<Step> {
        while let Some((low, high)) = self.ranges.last().copied() {
            let high = high.min(self.position);
            if high <= low {
                self.ranges.pop();
                continue;
            }
            let first = low.max(high.saturating_sub(self.step));
            self.step = (self.step * 2).min(MAX_STEP);
            self.position = first;
            return Some(Step::Range(first, high));
        }
        None
    }

    /// The number of rows to read at once: at most one more than the page shows, to detect whether there are more.
    pub(crate) fn remaining(&self) -> i64 {
        i64::try_from(self.limit + 1 - self.rows.len().min(self.limit)).unwrap_or(i64::MAX).min(size::STEP)
    }

    /// Adds the rows of a step, newest first.
    pub(crate) fn add(&mut self, rows: Vec<(T, i64)>) {
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == self.remaining());
        let is_whole = size::push_while_small(&mut self.rows, &mut self.bytes, rows, |(row, _)| size::json_size(row));
        self.is_partial = is_full || !is_whole;
        if let (true, Some((_, last))) = (self.is_partial, self.rows.last()) {
            self.position = *last;
        }
    }

    pub(crate) fn into_page(mut self) -> Page<T> {
        let has_more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        let next_cursor = match self.rows.last() {
            Some((_, id)) if has_more => Some(Cursor(*id)),
            _ if self.is_at_end || self.is_exhausted() => None,
            _ => Some(Cursor(self.position)),
        };
        Page { items: self.rows.into_iter().map(|(row, _)| row).collect(), next_cursor }
    }

    fn is_exhausted(&self) -> bool {
        self.candidates.is_none() && self.ranges.iter().all(|(low, high)| self.position.min(*high) <= *low)
    }
}

/// Fills a page with rows of a table; `$narrow` adds the filter's conditions to a boxed query.
macro_rules! scan {
    ($connection:ident, $filter:ident, $table:ident, $Row:ty, $instant:ident, $ranged:expr, $candidates:expr, |$query:ident| $narrow:block) => {{
        use $crate::store::query::scan::{Scan, Step, PageRequest};
        let request = PageRequest {
            since: $filter.since,
            until: $filter.until,
            cursor: $filter.cursor.as_ref(),
            limit: $filter.limit,
        };
        let mut scan = Scan::new($connection, $ranged, request, $candidates)?;
        while let Some(step) = scan.next($connection)? {
            let limit = scan.remaining();
            let rows: Vec<($Row, i64)> = on_either!($connection, c => {
                let mut $query = $table::table.select((<$Row>::as_select(), $table::id)).into_boxed();
                $query = match step {
                    Step::Range(first, end) => $query.filter($table::id.ge(first)).filter($table::id.lt(end)),
                    Step::Ids(ids) => $query.filter($table::id.eq_any(ids)),
                };
                if let Some(since) = $filter.since {
                    $query = $query.filter($table::$instant.ge(since.naive()));
                }
                if let Some(until) = $filter.until {
                    $query = $query.filter($table::$instant.lt(until.naive()));
                }
                $narrow
                $query.order($table::id.desc()).limit(limit).load(c)?
            });
            scan.add(rows);
        }
        scan.into_page()
    }};
}
pub(crate) use scan;
