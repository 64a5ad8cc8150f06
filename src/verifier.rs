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

/// Bytes that failed verifications may hash in a minute beyond the usual work, for one network and for all.
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
    pub fn verify<'c>(&self, endpoint: &Endpoint, callback: &'c Callback) -> Result<VerifiedCallback<'c>, Unverified> {
        let (client, now) = (callback.client, callback.received_at);
        let over_guesses = self.guesses.check(&endpoint.guesses, client, |name| callback.headers.has(name), now).err();
        let over_work = self.work.check(client, now).and_then(|()| self.work_in_all.check(None, now)).err();
        let mut work = if over_work.is_some() { Work::usual(callback) } else { Work::default() };
        if let Some(beyond) = over_guesses {
            work = work.beyond_guesses(beyond.compares_short);
        }
        let cause = match endpoint.verify_within(callback, &work) {
            Ok(verified) => return Ok(verified),
            Err(cause) => cause,
        };
        if work.has_guessed() {
            self.guesses.count(&endpoint.guesses, client, |name| callback.headers.has(name), now);
        }
        if let Some(limited) = over_guesses.map(|beyond| beyond.limited).or(over_work).filter(|_| work.is_exhausted()) {
            return Err(Unverified::Limited(limited));
        }
        let excess = u64::try_from(work.beyond(&Work::usual(callback))).unwrap_or(u64::MAX);
        if excess > 0 {
            self.work.count(client, excess, now);
            self.work_in_all.count(None, excess, now);
        }
        Err(Unverified::Rejected(cause))
    }
}
