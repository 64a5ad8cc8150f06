//! What was sent and what was acknowledged, over all cycles of a database.

use crate::random::Random;

/// Why a callback is sent, which says what its answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// For the first time: it cannot be a duplicate.
    First,
    /// Once more, because no acknowledgement came: stored or not, both are right.
    Again,
    /// Although it was acknowledged: it must be a duplicate, or the acknowledgement was a lie.
    Repeat,
}

/// One in so many callbacks was acknowledged before.
const REPEAT_ONE_IN: u64 = 16;

pub struct Ledger {
    next: u64,
    unacknowledged: Vec<u64>,
    pub acknowledged: Vec<u64>,
    /// Callbacks that were stored although their sender saw no acknowledgement, as the next process told.
    pub stored_unseen: usize,
    /// Answers that promised nothing.
    pub refused: usize,
    random: Random,
}

impl Ledger {
    pub fn new(random: Random) -> Self {
        Self { next: 0, unacknowledged: Vec::new(), acknowledged: Vec::new(), stored_unseen: 0, refused: 0, random }
    }

    /// What to send next: first, as a provider would, what is not acknowledged.
    pub fn take(&mut self) -> (u64, Sending) {
        if let Some(number) = self.unacknowledged.pop() {
            return (number, Sending::Again);
        }
        let count = u64::try_from(self.acknowledged.len()).expect("not that many");
        if count > 0 && self.random.below(REPEAT_ONE_IN) == 0 {
            let place = usize::try_from(self.random.below(count)).expect("below its length");
            return (self.acknowledged[place], Sending::Repeat);
        }
        self.next += 1;
        (self.next, Sending::First)
    }

    /// The whole of a success was read.
    pub fn acknowledge(&mut self, number: u64, sending: Sending, is_duplicate: bool) {
        match sending {
            Sending::First => assert!(!is_duplicate, "{number} is new, and was called a duplicate"),
            Sending::Again => self.stored_unseen += usize::from(is_duplicate),
            Sending::Repeat => {
                assert!(is_duplicate, "{number} was acknowledged and then not known");
                return;
            }
        }
        self.acknowledged.push(number);
    }

    /// No success was read, or not the whole of it.
    pub fn put_back(&mut self, number: u64, sending: Sending) {
        if sending != Sending::Repeat {
            self.unacknowledged.push(number);
        }
    }
}
