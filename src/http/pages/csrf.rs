//! The field that every form of ours carries: a page of another origin cannot know it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{secret::Secret, time::Timestamp};

const KEY_LABEL: &[u8] = b"waybill: key of the pages' forms";
const FIELD_LABEL: &[u8] = b"waybill: a form of the pages, day ";
const DAY: i64 = 86_400;

/// The field's value on the day of that instant.
pub(super) fn field(ops_token: &Secret, now: Timestamp) -> String {
    of_day(ops_token, now.seconds() / DAY)
}

/// Whether a form carries today's value or yesterday's: a page may stay open over midnight.
pub(super) fn is_ours(ops_token: &Secret, now: Timestamp, given: &str) -> bool {
    let today = now.seconds() / DAY;
    // Both are compared, so that the time does not tell which one it was.
    [today, today - 1].iter().fold(false, |ours, day| ours | Secret::new(of_day(ops_token, *day)).matches(given.as_bytes()))
}

/// With a key of its own: the field stands in pages, the token must not follow from it.
fn of_day(ops_token: &Secret, day: i64) -> String {
    let key = mac(ops_token.bytes(), KEY_LABEL, "");
    hex::encode(mac(&key, FIELD_LABEL, &day.to_string()))
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
    fn it_is_good_for_its_day_and_the_next_under_one_token() {
        let token = Secret::new("a token");
        let day = |day| Timestamp::from_seconds(1_773_502_200 + day * DAY).expect("an instant");
        let made = field(&token, day(0));
        assert!(is_ours(&token, day(0), &made) && is_ours(&token, day(1), &made));
        assert!(!is_ours(&token, day(2), &made) && !is_ours(&token, day(-1), &made));
        assert!(!is_ours(&Secret::new("another"), day(0), &made));
        for wrong in ["", "a token", made.get(1..).unwrap_or_default()] {
            assert!(!is_ours(&token, day(0), wrong));
        }
    }
}
