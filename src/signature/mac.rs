//! HMAC over parts, compared in constant time.

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

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

/// HMAC of a whole message.
pub(super) fn hmac<D>(key: &[u8], message: &[u8]) -> Vec<u8>
where
    D: EagerHash,
    Hmac<D>: Mac + KeyInit,
{
    keyed::<Hmac<D>>(key, &[message]).finalize().into_bytes().to_vec()
}

/// MD5 of the parts in order: a plain hash, which some accounts still sign with.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    parts.iter().fold(Md5::new(), Digest::chain_update).finalize().into()
}

/// Compares digests in constant time; those of different lengths are never equal.
pub(super) fn equal(computed: &[u8], given: &[u8]) -> bool {
    computed.ct_eq(given).into()
}
