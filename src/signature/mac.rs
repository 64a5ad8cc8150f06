//! HMAC over parts, with keys that are scheduled once, and constant-time comparison of digests.

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::Work;

/// An HMAC key, scheduled once and cloned for each message. It is wiped on drop and cannot be printed.
#[derive(Clone)]
pub struct Key<D: EagerHash>(Hmac<D>);

impl<D> Key<D>
where
    D: EagerHash + Clone,
    Hmac<D>: Mac + KeyInit + Clone,
{
    /// Schedules a key of any length.
    pub fn new(bytes: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let keyed = <Hmac<D> as KeyInit>::new_from_slice(bytes).expect("HMAC takes a key of any length");
        Self(keyed)
    }

    /// The digest of the parts, in order.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> impl AsRef<[u8]> + use<D> {
        self.over(parts).finalize().into_bytes()
    }

    /// Returns true if the parts, in order, have that digest, and there is work left to compute it. Compares in constant time; only a
    /// digest of full length matches.
    pub(super) fn matches(&self, parts: &[&[u8]], given: &[u8], work: &Work) -> bool {
        work.take(parts) && self.over(parts).verify_slice(given).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<D> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// The MD5 of the parts, in order: a plain hash, which some accounts still use.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    parts.iter().fold(Md5::new(), Digest::chain_update).finalize().into()
}

/// Compares digests in constant time; those of different lengths are never equal.
pub(super) fn equal(computed: &[u8], given: &[u8]) -> bool {
    computed.ct_eq(given).into()
}
