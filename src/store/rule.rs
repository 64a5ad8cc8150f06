//! Which rule of the fold decided about an event when it came. Kept beside the event, and told in words by `explain`. It is the
//! one thing of a message that depends on the order of arrival.

use strum::{AsRefStr, EnumString, IntoStaticStr};

/// Bytes of a state key before the event's time, and before what decides when rank and time are the same.
const RANK: usize = 1;
const RANK_AND_TIME: usize = 9;

/// What decided whether an event moved the status of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, IntoStaticStr, serde::Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Moved: nothing was heard of the message before.
    First,
    /// Moved: its status outranks the one before.
    HigherRank,
    /// Moved: of the same rank, and it happened later.
    LaterTime,
    /// Moved: of the same rank and time, and of two keys the greater one counts, so that every order ends alike.
    GreaterKey,
    /// Not moved: its status is outranked by the one before.
    LowerRank,
    /// Not moved: of the same rank, and it happened earlier.
    EarlierTime,
    /// Not moved: of the same rank and time, and its key is the lesser one.
    LesserKey,
    /// Not moved: it tells a fact, such as an open, and no status.
    NoStatus,
}

impl Rule {
    /// The rule for an event with this state key that meets a message with that one.
    pub fn of(there: Option<&[u8]>, new: &[u8], has_status: bool) -> Self {
        let Some(there) = there.filter(|key| !key.is_empty()) else {
            return if has_status { Self::First } else { Self::NoStatus };
        };
        let same = |length: usize| there.get(..length) == new.get(..length);
        match (has_status, new > there) {
            (false, _) => Self::NoStatus,
            (true, true) if !same(RANK) => Self::HigherRank,
            (true, true) if !same(RANK_AND_TIME) => Self::LaterTime,
            (true, true) => Self::GreaterKey,
            (true, false) if !same(RANK) => Self::LowerRank,
            (true, false) if !same(RANK_AND_TIME) => Self::EarlierTime,
            (true, false) => Self::LesserKey,
        }
    }

    /// Whether the status moved.
    pub fn moves(self) -> bool {
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
    fn rank_then_time_then_key_decide() {
        let there = key(30, 7, 7);
        let rule = |new: Vec<u8>| Rule::of(Some(&there), &new, true);
        assert_eq!(rule(key(50, 1, 1)), Rule::HigherRank);
        assert_eq!(rule(key(30, 8, 1)), Rule::LaterTime);
        assert_eq!(rule(key(30, 7, 8)), Rule::GreaterKey);
        assert_eq!(rule(key(10, 9, 9)), Rule::LowerRank);
        assert_eq!(rule(key(30, 6, 9)), Rule::EarlierTime);
        assert_eq!(rule(key(30, 7, 6)), Rule::LesserKey);
        assert_eq!(Rule::of(None, &key(0, 0, 0), true), Rule::First);
        assert_eq!(Rule::of(Some(&[]), &key(0, 0, 0), true), Rule::First);
        assert_eq!(Rule::of(Some(&there), &key(0, 9, 9), false), Rule::NoStatus);
    }
}
