//! A bounded number of attempts to verify changed copies of a request.

use crate::{callback::Callback, endpoint::Endpoint, public_url::MAX_SPELLINGS};

const MAX_ATTEMPTS: usize = 64;

/// Bytes of all attempts of a request together: each attempt costs a MAC for every spelling of every URL.
const MAX_BYTES: usize = 64 << 20;

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
        let cost = changed.public_urls.len().max(1) * MAX_SPELLINGS * changed.body.len();
        let remaining = (self.remaining.checked_sub(1), self.remaining_bytes.checked_sub(cost));
        let (Some(attempts), Some(bytes)) = remaining else { return false };
        (self.remaining, self.remaining_bytes) = (attempts, bytes);
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

    /// A valid request shows best when the attempts are used up.
    #[test]
    fn number_of_attempts_is_bounded_by_count_and_bytes() {
        let env: Env = [("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053")].into_iter().collect();
        let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
        for (length, expected) in [(1, MAX_ATTEMPTS), (16 << 10, MAX_ATTEMPTS), (256 << 10, 7)] {
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
