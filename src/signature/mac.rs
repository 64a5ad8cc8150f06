//! HMAC over parts, compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// HMAC-SHA1 of the parts in order.
pub(super) fn sha1(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha1> {
    keyed(key, parts)
}

/// HMAC-SHA256 of the parts in order.
pub(super) fn sha256(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    keyed(key, parts)
}

/// Compares in constant time. A digest of any other length than the full one never matches.
pub(super) fn matches(mac: impl Mac, given: &[u8]) -> bool {
    mac.verify_slice(given).is_ok()
}

fn keyed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> M {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}
