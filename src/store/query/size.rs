//! Bounds of the memory of an answer. Texts of one row can be as long as a body, so that rows are read in steps and an answer ends
//! early once it is large.

use std::io;

use diesel::QueryResult;
use serde::Serialize;

/// An answer ends after the row that exceeds this size.
pub(crate) const MAX_BYTES: usize = 2 << 20;

/// Rows that one statement reads.
pub(crate) const STEP: i64 = 64;

/// The size of a row as JSON.
pub(crate) fn json_size(row: &impl Serialize) -> usize {
    struct Counter(usize);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // A value that cannot be written is not part of the answer either.
    drop(serde_json::to_writer(&mut counter, row));
    counter.0
}

/// Rows that were read in steps.
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<T>,
    /// True if there may be more.
    pub(crate) has_more: bool,
}

/// Reads at most that many rows. `load` reads up to a number of rows after the given ones.
pub(crate) fn load_in_steps<T>(
    limit: i64,
    size: impl Fn(&T) -> usize,
    mut load: impl FnMut(&[T], i64) -> QueryResult<Vec<T>>,
) -> QueryResult<Rows<T>> {
    let (mut rows, mut bytes, mut remaining) = (Vec::new(), 0, limit);
    while remaining > 0 && bytes <= MAX_BYTES {
        let step = STEP.min(remaining);
        let loaded = load(&rows, step)?;
        let count = i64::try_from(loaded.len()).unwrap_or(i64::MAX);
        let is_whole = push_while_small(&mut rows, &mut bytes, loaded, &size);
        if is_whole && count < step {
            return Ok(Rows { rows, has_more: false });
        }
        remaining -= count;
    }
    Ok(Rows { rows, has_more: true })
}

/// Adds rows until their size exceeds the limit; returns false if some were left out.
pub(crate) fn push_while_small<T>(rows: &mut Vec<T>, bytes: &mut usize, more: Vec<T>, size: impl Fn(&T) -> usize) -> bool {
    for row in more {
        if *bytes > MAX_BYTES {
            return false;
        }
        *bytes += size(&row);
        rows.push(row);
    }
    true
}

/// The ids of the next step. They are found by a statement of their own, for which the database has an index of any order.
pub(crate) fn next_ids<T>(ids: &[i64], before: &[T], step: i64) -> Vec<i64> {
    ids.iter().skip(before.len()).take(usize::try_from(step).unwrap_or(0)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(limit: i64, size: usize) -> (usize, bool) {
        let load = |before: &[usize], step| Ok((before.len()..500).take(usize::try_from(step).unwrap_or(0)).collect());
        let Ok(Rows { rows, has_more }) = load_in_steps(limit, |_| size, load) else { return (0, false) };
        assert!(rows.iter().copied().eq(0..rows.len()));
        (rows.len(), has_more)
    }

    #[test]
    fn rows_end_at_the_limit_at_the_size_and_at_the_end() {
        assert_eq!(numbers(100, 1), (100, true));
        assert_eq!(numbers(1_000, 1), (500, false));
        assert_eq!(numbers(1_000, MAX_BYTES), (2, true));
        assert_eq!(numbers(1_000, MAX_BYTES / 100), (101, true));
        assert_eq!(json_size(&["a", "b"]), 9);
    }
}
