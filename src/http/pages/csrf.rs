//! CSRF token of the forms, which a page of another origin cannot know.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{secret::Secret, time::Timestamp};

const KEY_LABEL: &[u8] = b"waybill: key of the pages' forms";
const TOKEN_LABEL: &[u8] = b"waybill: a form of the pages, day ";
const DAY: i64 = 86_400;

pub(super) fn token(ops_token: &Secret, now: Timestamp) -> String {
    token_for_day(ops_token, now.seconds() / DAY)
}

/// Accepts the token of today and of yesterday: a page may stay open past midnight.
pub(super) fn verify(ops_token: &Secret, now: Timestamp, given: &str) -> bool {
    let today = now.seconds() / DAY;
    // Both are compared, so that timing does not reveal which one matched.
    [today, today - 1]
        .iter()
        .fold(false, |matches, day| matches | Secret::new(token_for_day(ops_token, *day)).matches(given.as_bytes()))
}

/// Uses a derived key: the CSRF token appears in pages and must reveal nothing about the ops token.
fn token_for_day(ops_token: &Secret, day: i64) -> String {
    let key = mac(ops_token.bytes(), KEY_LABEL, "");
    hex::encode(mac(&key, TOKEN_LABEL, &day.to_string()))
}

fn mac(key: &[u8], label: &[u8], text: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(label).chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csrf_token_is_valid_for_two_days_under_one_ops_token() {
        let ops_token = Secret::new("a token");
        let day = |day| Timestamp::from_seconds(1_773_502_200 + day * DAY).expect("an instant");
        let csrf_token = token(&ops_token, day(0));
        assert!(verify(&ops_token, day(0), &csrf_token) && verify(&ops_token, day(1), &csrf_token));
        assert!(!verify(&ops_token, day(2), &csrf_token) && !verify(&ops_token, day(-1), &csrf_token));
        assert!(!verify(&Secret::new("another"), day(0), &csrf_token));
        for wrong in ["", "a token", csrf_token.get(1..).unwrap_or_default()] {
            assert!(!verify(&ops_token, day(0), wrong));
        }
    }
}
