//! The rule of the fold that decided about an event when it arrived. It is stored with the event and explained by `explain`. Of all
//! stored data about a message, it alone depends on the order of arrival.

use strum::{AsRefStr, EnumString, IntoStaticStr};

/// Lengths of the prefixes of a state key: the rank, and the rank and time. A tie-break follows.
const RANK: usize = 1;
const RANK_AND_TIME: usize = 9;

/// The rule that decided whether an event changed the status of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, serde::Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Changed: the message had no event before.
    First,
    /// Changed: its status outranks the previous one.
    HigherRank,
    /// Changed: same rank, and it occurred later.
    LaterTime,
    /// Changed: same rank and time, and the greater of two keys counts, so that every order converges.
    GreaterKey,
    /// Unchanged: the previous status outranks it.
    LowerRank,
    /// Unchanged: same rank, and it occurred earlier.
    EarlierTime,
    /// Unchanged: same rank and time, and its key is the lesser one.
    LesserKey,
    /// Unchanged: it reports a fact, such as an open, and no status.
    NoStatus,
}

impl Rule {
    /// Selects the rule for an event with the state key `new` and a message with the state key `existing`.
    pub fn for_event(existing: Option<&[u8]>, new: &[u8], has_status: bool) -> Self {
        let Some(existing) = existing.filter(|key| !key.is_empty()) else {
            return if has_status { Self::First } else { Self::NoStatus };
        };
        let same = |length: usize| existing.get(..length) == new.get(..length);
        match (has_status, new > existing) {
            (false, _) => Self::NoStatus,
            (true, true) if !same(RANK) => Self::HigherRank,
            (true, true) if !same(RANK_AND_TIME) => Self::LaterTime,
            (true, true) => Self::GreaterKey,
            (true, false) if !same(RANK) => Self::LowerRank,
            (true, false) if !same(RANK_AND_TIME) => Self::EarlierTime,
            (true, false) => Self::LesserKey,
        }
    }

    pub fn changes_status(self) -> bool {
        matches!(self, Self::First | Self::HigherRank | Self::LaterTime | Self::GreaterKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rank: u8, time: u64, hash: u8) -> Vec<u8> {
        [&[rank][..], &time.to_be_bytes(), &[hash; 16]].concat()
    }

    #[test]
    fn rank_then_time_then_key_select_the_rule() {
        let existing = key(30, 7, 7);
        let rule = |new: Vec<u8>| Rule::for_event(Some(&existing), &new, true);
        assert_eq!(rule(key(50, 1, 1)), Rule::HigherRank);
        assert_eq!(rule(key(30, 8, 1)), Rule::LaterTime);
        assert_eq!(rule(key(30, 7, 8)), Rule::GreaterKey);
        assert_eq!(rule(key(10, 9, 9)), Rule::LowerRank);
        assert_eq!(rule(key(30, 6, 9)), Rule::EarlierTime);
        assert_eq!(rule(key(30, 7, 6)), Rule::LesserKey);
        assert_eq!(Rule::for_event(None, &key(0, 0, 0), true), Rule::First);
        assert_eq!(Rule::for_event(Some(&[]), &key(0, 0, 0), true), Rule::First);
        assert_eq!(Rule::for_event(Some(&existing), &key(0, 9, 9), false), Rule::NoStatus);
    }
}
