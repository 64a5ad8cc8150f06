//! Which receipts of a request are copies. A record that may recur can be written any number of times, also at another place in the
//! order, and counts once.

use super::rows::Duplicates;
use crate::time::Timestamp;

/// One receipt of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) at: Timestamp,
    /// See [`super::record::Record::may_recur`].
    pub(crate) may_recur: bool,
}

/// The receipts of a stored request, and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredReceipts {
    pub(crate) received_at: Timestamp,
    pub(crate) last_duplicate_at: Option<Timestamp>,
    pub(crate) answer: i64,
}

/// The columns of [`StoredReceipts`].
pub(crate) type ReceiptColumns = (Timestamp, Option<Timestamp>, i64);

impl From<ReceiptColumns> for StoredReceipts {
    fn from((received_at, last_duplicate_at, answer): ReceiptColumns) -> Self {
        Self { received_at, last_duplicate_at, answer }
    }
}

/// The copies among later receipts of a request, in their order. A receipt that may recur and is not later than those before is one
/// of them.
pub(crate) fn copies(
    received_at: Timestamp,
    last_duplicate_at: Option<Timestamp>,
    later: impl IntoIterator<Item = Receipt>,
) -> Duplicates {
    let mut latest = last_duplicate_at.map_or(received_at, |last| last.max(received_at));
    let mut copies = Duplicates::default();
    for Receipt { at, may_recur } in later {
        if !may_recur || at > latest {
            latest = latest.max(at);
            copies.duplicate_count += 1;
            copies.last_duplicate_at = copies.last_duplicate_at.max(Some(at));
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).expect("an instant")
    }

    fn counted(received_at: i64, last: Option<i64>, later: &[(i64, bool)]) -> (i64, Option<Timestamp>) {
        let later = later.iter().map(|(seconds, may_recur)| Receipt { at: at(*seconds), may_recur: *may_recur });
        let copies = copies(at(received_at), last.map(at), later);
        (copies.duplicate_count, copies.last_duplicate_at)
    }

    #[test]
    fn only_later_receipts_are_copies_if_they_may_recur() {
        assert_eq!(counted(5, None, &[(5, true), (4, true)]), (0, None));
        assert_eq!(counted(5, None, &[(5, false), (4, false)]), (2, Some(at(5))));
        assert_eq!(counted(5, None, &[(6, true), (6, true), (8, true), (7, true)]), (2, Some(at(8))));
        assert_eq!(counted(5, Some(8), &[(6, true), (8, true), (9, true)]), (1, Some(at(9))));
        assert_eq!(counted(5, None, &[(9, false), (8, true)]), (1, Some(at(9))));
    }

    #[test]
    fn receipts_that_recur_count_once_in_any_cut() {
        let all: Vec<(i64, bool)> = [1, 3, 3, 2, 7, 5, 9].map(|seconds| (seconds, true)).to_vec();
        let whole = counted(1, None, &all[1..]);
        assert_eq!(whole, (3, Some(at(9))));
        for cut in 1..all.len() {
            let (first, last) = counted(1, None, &all[1..cut]);
            let again = copies(at(1), last, all.iter().map(|(seconds, _)| Receipt { at: at(*seconds), may_recur: true }));
            assert_eq!((first + again.duplicate_count, again.last_duplicate_at.max(last)), whole, "{cut}");
        }
    }
}
