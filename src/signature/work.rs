//! A limit on the bytes that one verification hashes. A signature over a URL and a body is computed for each spelling of the URL and
//! each key, over the whole body each time.

use std::cell::Cell;

use crate::callback::Callback;

/// Enough for every key and spelling of a usual callback, and for 16 attempts at the largest body.
const MOST: usize = 4 << 20;

/// The cost of a callback that is as its provider sends it: the first spelling with either key of a rotation, and all spellings of a
/// usual body.
const USUAL: usize = 64 << 10;
const USUAL_ATTEMPTS: usize = 2;

/// The padding of a digest and its key, in bytes of equal cost.
const ATTEMPT: usize = 256;

/// The bytes that a verification may hash.
#[derive(Debug)]
pub struct Work {
    limit: usize,
    used: Cell<usize>,
    may_guess: bool,
    has_guessed: Cell<bool>,
    is_exhausted: Cell<bool>,
}

impl Default for Work {
    /// The most that a request may cost.
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl Work {
    /// At most that many bytes, and never more than [`Work::default`].
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(MOST),
            used: Cell::new(0),
            may_guess: true,
            has_guessed: Cell::new(false),
            is_exhausted: Cell::new(false),
        }
    }

    /// The cost that every callback may have, even of a network that is over its limit.
    pub fn usual(callback: &Callback) -> Self {
        Self::new(USUAL + USUAL_ATTEMPTS * (callback.body.len() + callback.target.len()))
    }

    /// The same without credentials: none is compared.
    #[must_use]
    pub fn without_guesses(self) -> Self {
        Self { may_guess: false, ..self }
    }

    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// The bytes used beyond those of another.
    pub fn beyond(&self, other: &Self) -> usize {
        self.used().saturating_sub(other.limit)
    }

    /// Returns true if a credential of the request was compared with one that is configured.
    pub fn has_guessed(&self) -> bool {
        self.has_guessed.get()
    }

    /// Returns true if a digest was not computed, or a credential not compared, because of the limit.
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }

    /// Takes the work of a digest over these parts; false if it is over the limit.
    pub(super) fn take(&self, parts: &[&[u8]]) -> bool {
        let used = parts.iter().fold(self.used() + ATTEMPT, |used, part| used.saturating_add(part.len()));
        let is_allowed = used <= self.limit;
        if is_allowed {
            self.used.set(used);
        } else {
            self.is_exhausted.set(true);
        }
        is_allowed
    }

    /// Takes the comparison of a credential; false if none may be compared.
    pub(super) fn guess(&self) -> bool {
        let recorded = if self.may_guess { &self.has_guessed } else { &self.is_exhausted };
        recorded.set(true);
        self.may_guess
    }
}
