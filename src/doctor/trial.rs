//! Trying a changed request, a bounded number of times.

use crate::{callback::Callback, endpoint::Endpoint};

/// Attempts per request. Each costs a MAC of every spelling of its URL under every secret.
const MAX_ATTEMPTS: usize = 64;

/// Bytes of bodies in all attempts together.
const MAX_BYTES: usize = 4 << 20;

/// The attempts on one request.
pub(super) struct Trial<'c> {
    pub(super) endpoint: &'c Endpoint,
    pub(super) callback: &'c Callback,
    left: usize,
}

impl<'c> Trial<'c> {
    pub(super) fn new(endpoint: &'c Endpoint, callback: &'c Callback) -> Self {
        Self { endpoint, callback, left: MAX_ATTEMPTS.min(MAX_BYTES / callback.body.len().max(1)) }
    }

    /// Whether a changed copy has a signature of that endpoint over its payload. The proof goes no further.
    pub(super) fn is_right(&mut self, endpoint: &Endpoint, changed: &Callback) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        endpoint.provider.verify(changed).is_ok_and(|proof| proof.scheme().covers_payload)
    }
}
