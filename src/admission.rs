//! Admission of verified callbacks at endpoints with limits. Only new requests use up the limits: a client that has captured a request
//! can send any number of copies, and these must not take the provider's room. Copies have the same limits once more. Beyond these, a
//! copy of a durable request gets its response without the store.
//!
//! A request is known to be new only once the store says so. Until then it counts as new, once; a copy is refunded.

use crate::{
    endpoint::Endpoint,
    limiter::{Admitted, Budget, Limiter, RateLimited},
    queue::{Durable, Intake, NotDurable, recent::Recent},
    signature::StoredKey,
    store::Record,
    time::Timestamp,
};

/// The admission of one callback, until it is answered.
pub struct Admission<'a> {
    /// The remaining budget of the endpoint, if it has a limit per minute.
    pub budget: Option<Budget>,
    intake: &'a Intake,
    /// `None` at an endpoint without limits.
    limited: Option<Limited<'a>>,
}

struct Limited<'a> {
    key: StoredKey,
    kind: Kind<'a>,
    /// Its permit is released with the admission.
    _admitted: Option<Admitted<'a>>,
}

enum Kind<'a> {
    /// A request that counted as new at that instant.
    New(&'a Limiter, Timestamp),
    Copy,
    /// A copy beyond the limits of copies.
    Answered(Durable),
}

impl<'a> Admission<'a> {
    /// Admits a verified callback by the key of its record, if the endpoint's limits allow it.
    pub fn new(
        intake: &'a Intake,
        endpoint: &'a Endpoint,
        now: Timestamp,
        key: impl FnOnce() -> StoredKey,
    ) -> Result<Self, RateLimited> {
        if endpoint.limiter.is_unlimited() {
            return Ok(Self { budget: None, intake, limited: None });
        }
        let key = key();
        let Some(recent) = intake.recent.begin(key) else {
            let admitted = endpoint.limiter.admit(now).inspect_err(|_| intake.recent.forget(key))?;
            let budget = admitted.budget;
            let limited = Limited { key, kind: Kind::New(&endpoint.limiter, now), _admitted: Some(admitted) };
            return Ok(Self { budget, intake, limited: Some(limited) });
        };
        let budget = endpoint.limiter.budget(now);
        let (kind, admitted) = match (endpoint.copy_limiter.admit(now), recent) {
            (Ok(admitted), _) => (Kind::Copy, Some(admitted)),
            (Err(_), Recent::Durable(durable)) => (Kind::Answered(durable.as_copy()), None),
            (Err(limited), Recent::InProgress) => return Err(RateLimited { budget, ..limited }),
        };
        Ok(Self { budget, intake, limited: Some(Limited { key, kind, _admitted: admitted }) })
    }

    /// Makes the callback's record durable, unless its response is known. If this is dropped, the request remains in progress, because
    /// it may still become durable.
    pub async fn append(&mut self, record: Record) -> Result<Durable, NotDurable> {
        let Some(Limited { key, kind, .. }) = &self.limited else { return self.intake.append(record).await };
        if let Kind::Answered(durable) = kind {
            return Ok(*durable);
        }
        let result = self.intake.append(record).await;
        if let Ok(durable) = &result {
            self.intake.recent.finish(*key, *durable);
        }
        if let Kind::New(limiter, at) = kind
            && !result.as_ref().is_ok_and(Durable::is_new_request)
        {
            if result.is_err() {
                self.intake.recent.forget(*key);
            }
            limiter.refund(*at);
            self.budget = limiter.budget(*at);
        }
        result
    }
}
