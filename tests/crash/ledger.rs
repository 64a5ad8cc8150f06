//! The callbacks sent and acknowledged in all cycles of a database.

use crate::random::Random;

/// The reason for sending a callback, which determines the valid responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// The first attempt, which cannot be a duplicate.
    First,
    /// A retry without an earlier acknowledgement, which may be a duplicate.
    Retry,
    /// A repetition after an acknowledgement, which must be a duplicate.
    Resend,
}

/// One in this many callbacks is sent after its acknowledgement.
const REPEAT_ONE_IN: u64 = 16;

pub struct Ledger {
    next: u64,
    unacknowledged: Vec<u64>,
    pub acknowledged: Vec<u64>,
    /// Callbacks that were stored without an acknowledgement: their retry was reported as a duplicate.
    pub stored_unseen: usize,
    /// Responses with status 503.
    pub unavailable: usize,
    random: Random,
    /// True if each copy is recognized. A queue knows those of recent requests of its own process only.
    recognizes_copies: bool,
}

impl Ledger {
    pub fn new(random: Random) -> Self {
        Self {
            next: 0,
            unacknowledged: Vec::new(),
            acknowledged: Vec::new(),
            stored_unseen: 0,
            unavailable: 0,
            random,
            recognizes_copies: true,
        }
    }

    /// The ledger of callbacks that go through a queue.
    pub fn of_queue(random: Random) -> Self {
        Self { recognizes_copies: false, ..Self::new(random) }
    }

    /// The next callback to send. Like a provider it first retries those that are not acknowledged.
    pub fn take(&mut self) -> (u64, Sending) {
        if let Some(number) = self.unacknowledged.pop() {
            return (number, Sending::Retry);
        }
        let count = u64::try_from(self.acknowledged.len()).expect("not that many");
        if count > 0 && self.random.below(REPEAT_ONE_IN) == 0 {
            let place = usize::try_from(self.random.below(count)).expect("below its length");
            return (self.acknowledged[place], Sending::Resend);
        }
        self.next += 1;
        (self.next, Sending::First)
    }

    /// Records a success response that was read completely.
    pub fn acknowledge(&mut self, number: u64, sending: Sending, is_duplicate: bool) {
        match sending {
            Sending::First => assert!(!is_duplicate, "{number} is new, but was reported as a duplicate"),
            Sending::Retry => self.stored_unseen += usize::from(is_duplicate),
            Sending::Resend => {
                assert!(is_duplicate || !self.recognizes_copies, "{number} was acknowledged, but its repetition is no duplicate");
                return;
            }
        }
        self.acknowledged.push(number);
    }

    /// Returns a callback to be retried: no success response was read completely.
    pub fn return_unacknowledged(&mut self, number: u64, sending: Sending) {
        if sending != Sending::Resend {
            self.unacknowledged.push(number);
        }
    }
}
