//! A bounded number of attempts to verify changed copies of a request.

use crate::{callback::Callback, endpoint::Endpoint, provider::NearMiss, signature::Work};

const MAX_ATTEMPTS: usize = 64;

/// Bytes that all attempts of a request hash together: over each spelling of each URL, with each secret.
const MAX_BYTES: usize = 16 << 20;

/// The attempts that remain for one request.
pub(super) struct Attempts<'c> {
    pub(super) endpoint: &'c Endpoint,
    pub(super) callback: &'c Callback,
    remaining: usize,
    remaining_bytes: usize,
}

impl<'c> Attempts<'c> {
    pub(super) fn new(endpoint: &'c Endpoint, callback: &'c Callback) -> Self {
        Self { endpoint, callback, remaining: MAX_ATTEMPTS, remaining_bytes: MAX_BYTES }
    }

    /// True if a changed copy has a valid signature of that endpoint over its payload. The proof is dropped here.
    pub(super) fn verifies(&mut self, endpoint: &Endpoint, changed: &Callback) -> bool {
        let Some(remaining) = self.remaining.checked_sub(1) else { return false };
        self.remaining = remaining;
        self.with_work(|work| endpoint.provider.verify(changed, work).is_ok_and(|proof| proof.scheme().covers_payload))
    }

    /// Another value of one of the endpoint's settings that verifies the request.
    pub(super) fn near_miss(&mut self) -> Option<NearMiss> {
        let (endpoint, callback) = (self.endpoint, self.callback);
        self.with_work(|work| endpoint.provider.near_miss(callback, work))
    }

    fn with_work<T>(&mut self, attempt: impl FnOnce(&Work) -> T) -> T {
        let work = Work::new(self.remaining_bytes);
        let found = attempt(&work);
        self.remaining_bytes = self.remaining_bytes.saturating_sub(work.used());
        found
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        config::{Config, Env},
        time::Timestamp,
    };

    /// A valid request shows best when the attempts are used up.
    #[test]
    fn number_of_attempts_is_bounded_by_count_and_bytes() {
        let env: Env = [("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053")].into_iter().collect();
        let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
        for (length, expected) in [(1, MAX_ATTEMPTS), (16 << 10, MAX_ATTEMPTS), (256 << 10, 63)] {
            let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", vec![b'x'; length]);
            endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
            let callback = Callback {
                method: outgoing.method,
                target: outgoing.target,
                route: "",
                url_token: None,
                client: None,
                public_urls: std::sync::Arc::from([]),
                headers: outgoing.headers.into_iter().collect(),
                body: Bytes::from(outgoing.body),
                received_at: Timestamp::from_seconds(0).expect("an instant"),
            };
            let mut attempts = Attempts::new(&endpoint, &callback);
            let verified = (0..2 * MAX_ATTEMPTS).filter(|_| attempts.verifies(&endpoint, &callback)).count();
            assert_eq!(verified, expected, "{length} bytes");
        }
    }
}
