//! The token at the end of a callback's URL, for senders that do not sign.
//!
//! The router looks it up before anything else is read: a path with a wrong token is an unknown path. A [`Grant`] can be made by
//! this comparison only, and the scheme `url-token` verifies a callback by it.

use crate::secret::{self, Secret};

/// The part of the path between an endpoint's own path and the token.
pub const SEGMENT: &str = "/t/";

/// Evidence that the URL carried one of the endpoint's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant(usize);

impl Grant {
    /// The index of the token among those configured.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// Compares with all tokens in constant time.
pub fn find(tokens: &[Secret], token: &str) -> Option<Grant> {
    secret::position(tokens, token.as_bytes(), |_| true).map(Grant)
}
