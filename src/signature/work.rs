//! A limit on the bytes that one verification hashes. A signature over a URL and a body is computed for each spelling of the URL and
//! each key, over the whole body each time.

use std::cell::Cell;

use crate::{
    callback::Callback,
    secret::{self, Secret},
};

/// Enough for every key and spelling of a usual callback, and for 16 attempts at the largest body.
const MAX: usize = 4 << 20;

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
    compares_short: bool,
    is_over_guess_limit: bool,
    has_guessed: Cell<bool>,
    is_exhausted: Cell<bool>,
}

impl Default for Work {
    /// The most that a request may cost.
    fn default() -> Self {
        Self::new(MAX)
    }
}

impl Work {
    /// At most that many bytes, and never more than [`Work::default`].
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(MAX),
            used: Cell::new(0),
            compares_short: true,
            is_over_guess_limit: false,
            has_guessed: Cell::new(false),
            is_exhausted: Cell::new(false),
        }
    }

    /// The cost that every callback may have, even of a network that is over its limit.
    pub fn usual(callback: &Callback) -> Self {
        Self::new(USUAL + USUAL_ATTEMPTS * (callback.body.len() + callback.target.len()))
    }

    /// The same beyond the limit on guessed credentials: those that are configured are compared if they are long, or if `compares_short`.
    #[must_use]
    pub fn over_guess_limit(self, compares_short: bool) -> Self {
        Self { compares_short, is_over_guess_limit: true, ..self }
    }

    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// The bytes used beyond those of another.
    pub fn beyond(&self, other: &Self) -> usize {
        self.used().saturating_sub(other.limit)
    }

    /// Returns true if a credential of the request was found to be wrong within the limit.
    pub fn has_guessed(&self) -> bool {
        self.has_guessed.get()
    }

    /// Returns true if a digest was not computed, or a credential refused, because of a limit.
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

    /// The index of a credential that was sent. `part` is what a client would have to guess of a configured one.
    pub(super) fn position(&self, configured: &[Secret], sent: &[u8], part: fn(&str) -> &str) -> Option<usize> {
        let may_match = |secret: &Secret| self.compares_short || secret::is_long(part(secret.text()));
        let found = secret::position(configured, sent, may_match);
        if found.is_none() {
            let recorded = if self.is_over_guess_limit { &self.is_exhausted } else { &self.has_guessed };
            recorded.set(true);
        }
        found
    }
}
