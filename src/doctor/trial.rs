//! Trying a changed request, a bounded number of times.

use crate::{callback::Callback, endpoint::Endpoint, public_url::MAX_SPELLINGS};

/// Attempts per request.
const MAX_ATTEMPTS: usize = 64;

/// Bytes in all attempts together, for each costs a MAC of every spelling of every URL.
const MAX_BYTES: usize = 64 << 20;

/// The attempts on one request.
pub(super) struct Trial<'c> {
    pub(super) endpoint: &'c Endpoint,
    pub(super) callback: &'c Callback,
    attempts: usize,
    bytes: usize,
}

impl<'c> Trial<'c> {
    pub(super) fn new(endpoint: &'c Endpoint, callback: &'c Callback) -> Self {
        Self { endpoint, callback, attempts: MAX_ATTEMPTS, bytes: MAX_BYTES }
    }

    /// Whether a changed copy has a signature of that endpoint over its payload. The proof goes no further.
    pub(super) fn is_right(&mut self, endpoint: &Endpoint, changed: &Callback) -> bool {
        let cost = changed.public_urls.len().max(1) * MAX_SPELLINGS * changed.body.len();
        let (Some(attempts), Some(bytes)) = (self.attempts.checked_sub(1), self.bytes.checked_sub(cost)) else { return false };
        (self.attempts, self.bytes) = (attempts, bytes);
        endpoint.provider.verify(changed).is_ok_and(|proof| proof.scheme().covers_payload)
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

    /// A genuine request is as good as any to see when the trying ends.
    #[test]
    fn attempts_are_bounded_and_fewer_for_a_large_body() {
        let env: Env = [("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053")].into_iter().collect();
        let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0);
        for (length, attempts) in [(1, MAX_ATTEMPTS), (16 << 10, MAX_ATTEMPTS), (256 << 10, 7)] {
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
            let mut trial = Trial::new(&endpoint, &callback);
            let right = (0..2 * MAX_ATTEMPTS).filter(|_| trial.is_right(&endpoint, &callback)).count();
            assert_eq!(right, attempts, "{length} bytes");
        }
    }
}
