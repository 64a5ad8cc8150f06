//! The keys by which requests are deduplicated.

use sha2::{Digest, Sha256};

use super::url_secret;
use crate::{callback::Callback, public_url::fold_spelling};

/// The identity of a request across retries: SHA-256 over what the signature covers, without the parts that change per attempt.
pub type RequestKey = [u8; 32];

/// The key of a request with these signed parts, in order.
pub(super) fn request_key(parts: &[&[u8]]) -> RequestKey {
    parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().into()
}

/// The key of a request that is signed over its URL and a string after it, without delimiters. The origin is left out and the spelling
/// folded, so that the key is the same however a captured request is re-encoded, and after a change of the domain.
pub(super) fn key_without_spelling(target: &str, signed: &[u8]) -> RequestKey {
    let mut hash = Sha256::new();
    // An escape may begin in the target and end in the string.
    if target.bytes().rev().take(2).any(|byte| byte == b'%') {
        fold_spelling(&[target.as_bytes(), signed].concat(), |part| hash.update(part));
    } else {
        fold_spelling(target.as_bytes(), |part| hash.update(part));
        fold_spelling(signed, |part| hash.update(part));
    }
    hash.finalize().into()
}

/// The key of a request that is not parsed, in a space of its own: no other request is its duplicate, except those with the same signed
/// string that are not parsed either.
pub(super) fn unreadable(key: &RequestKey) -> RequestKey {
    request_key(&[b"unlisted\0", key])
}

/// The key of a request without a signature: its body or, without one, its query without the credential. With a body only the query
/// parameter `event` counts, because two events of a video room may differ in nothing else.
pub(super) fn uncovered(callback: &Callback) -> RequestKey {
    let of_query = |is_included: fn(&str) -> bool| {
        callback.query().split('&').filter(|pair| is_included(pair)).collect::<Vec<_>>().join("&")
    };
    if callback.body.is_empty() {
        return request_key(&[of_query(|pair| !url_secret::is_parameter(pair)).as_bytes()]);
    }
    let event = of_query(|pair| pair.split('=').next() == Some("event"));
    if event.is_empty() { request_key(&[&callback.body]) } else { request_key(&[&callback.body, b"\0", event.as_bytes()]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_the_same_wherever_the_url_ends() {
        for signed in ["/x?a=it's%40%3a%27b=c", "/x?%4%40%30%%3A", "/x"] {
            let key = key_without_spelling(signed, b"");
            for (end, _) in signed.char_indices() {
                let (target, rest) = signed.split_at(end);
                assert_eq!(key_without_spelling(target, rest.as_bytes()), key, "{target} {rest}");
            }
        }
    }
}
