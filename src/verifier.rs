//! Verification within the limits of the client's network: on the credentials that it guesses, and on the work of requests that fail.
//!
//! A callback that is signed as its provider signs it needs no more than the usual work, which every client has. Neither limit rejects it,
//! even beside an attacker in its own network.

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    guesses::Guesses,
    limiter::RateLimited,
    network_limiter::FailureLimiter,
    signature::{VerifiedCallback, VerifyError, Work},
};

/// The largest body that a serving thread verifies and parses.
const LARGEST_SERVED: usize = 32 << 10;

/// Bytes that failed verifications may hash in a minute, for one network and for all. For a body that a serving thread verifies, the
/// usual work is not counted.
const WORK_PER_NETWORK: u64 = 64 << 20;
const WORK_IN_ALL: u64 = 512 << 20;

/// A callback was not verified.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("verification failed: {0}")]
    Rejected(VerifyError),
    /// Not every proof was tried, because failures of its network have used up a limit.
    #[error("not verified: its network is over a limit")]
    Limited(RateLimited),
    /// Only the usual proofs were tried, or none of a large body: the rest is work for another thread. There: the deadline has passed.
    #[error("verification did not finish before the deadline")]
    Unfinished,
}

/// The work that a verification may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// That of a callback that is as its provider sends it and not large; for a serving thread.
    Usual,
    /// All that a request may cost.
    Whole,
}

/// Verifies callbacks within the limits.
pub struct Verifier {
    pub guesses: Guesses,
    work: FailureLimiter,
    work_in_all: FailureLimiter,
}

impl Verifier {
    pub fn new(guesses: Guesses) -> Self {
        Self { guesses, work: FailureLimiter::new(WORK_PER_NETWORK), work_in_all: FailureLimiter::new(WORK_IN_ALL) }
    }

    /// Verifies a callback. If its network is over a limit, only the usual spellings are tried, or no short credentials.
    pub fn verify<'c>(
        &self,
        endpoint: &Endpoint,
        callback: &'c Callback,
        effort: Effort,
    ) -> Result<VerifiedCallback<'c>, Unverified> {
        if effort == Effort::Usual && is_large(callback) {
            return Err(Unverified::Unfinished);
        }
        let (client, now) = (callback.client, callback.received_at);
        let over_guesses = self.guesses.check(&endpoint.guesses, client, |name| callback.headers.has(name), now).err();
        let over_work = self.work.check(client, now).and_then(|()| self.work_in_all.check(None, now)).err();
        let is_usual = over_work.is_some() || effort == Effort::Usual;
        let mut work = if is_usual { Work::usual(callback) } else { Work::default() };
        if let Some(over) = over_guesses {
            work = work.over_guess_limit(over.compares_short);
        }
        let cause = match endpoint.verify_within(callback, &work) {
            Ok(verified) => return Ok(verified),
            Err(cause) => cause,
        };
        if work.has_guessed() {
            self.guesses.count(&endpoint.guesses, client, |name| callback.headers.has(name), now);
        }
        if effort == Effort::Usual && over_work.is_none() && work.is_exhausted() {
            return Err(Unverified::Unfinished);
        }
        if let Some(limited) = over_guesses.map(|over| over.limited).or(over_work).filter(|_| work.is_exhausted()) {
            return Err(Unverified::Limited(limited));
        }
        let free = if is_large(callback) { Work::new(0) } else { Work::usual(callback) };
        let excess = u64::try_from(work.beyond(&free)).unwrap_or(u64::MAX);
        if excess > 0 {
            self.work.count(client, excess, now);
            self.work_in_all.count(None, excess, now);
        }
        Err(Unverified::Rejected(cause))
    }
}

fn is_large(callback: &Callback) -> bool {
    callback.body.len() > LARGEST_SERVED
}
