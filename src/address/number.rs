//! Phone numbers.

use super::{
    folding::plain_digits,
    prefix::{split_channel, without_scheme},
};
use crate::text;

/// The digits of an international number (E.164). Fewer are a short code.
const INTERNATIONAL: std::ops::RangeInclusive<usize> = 8..=15;

/// Fewer digits with punctuation, such as `24-7`, are a name.
const MIN_PUNCTUATED: usize = 7;

const PUNCTUATION: &[u8] = b"-(). /";

/// A number or sender of a messaging provider without its channel's prefix: a phone number as `+` and digits, anything else
/// (alphanumeric senders, short codes, national numbers, SIP addresses) unchanged.
pub fn phone(raw: &str) -> Option<String> {
    let unprefixed = split_channel(raw).1;
    let trimmed = unprefixed.trim();
    // A `+` that a sender did not encode arrives in a form as a blank.
    let is_number = (trimmed.starts_with('+') || unprefixed.starts_with(' '))
        && trimmed.bytes().any(|byte| byte.is_ascii_digit())
        && trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"+-(). ".contains(&byte));
    if !is_number {
        return text::present(trimmed);
    }
    let mut number = String::with_capacity(trimmed.len() + 1);
    number.push('+');
    number.extend(trimmed.chars().filter(char::is_ascii_digit));
    Some(number)
}

/// [`phone`], for providers that write international numbers without a `+`. A national number, which starts with 0, gets none.
pub fn international(raw: &str) -> Option<String> {
    let trimmed = raw.trim();
    let is_number = is_international(trimmed) && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some(format!("+{trimmed}")) } else { phone(raw) }
}

fn is_international(digits: &str) -> bool {
    INTERNATIONAL.contains(&digits.len()) && !digits.starts_with('0')
}

/// The key of a number that is written as its key is.
pub(super) fn plain_key(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+')?;
    (is_international(digits) && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

/// The key of a number in any notation; `None` if the text is not a number. No country code starts with 0, so a `+` before it is dropped.
pub(super) fn key(text: &str) -> Option<String> {
    let text = plain_digits(split_channel(text).1);
    let text = without_scheme(&text);
    // A blank was a `+` before it was decoded.
    let has_plus = text.trim_start().starts_with('+');
    let text = text.trim().trim_start_matches('+');
    if !text.bytes().all(|byte| byte.is_ascii_digit() || PUNCTUATION.contains(&byte)) {
        return None;
    }
    let is_abroad = has_plus || text.starts_with("00");
    // The digit that is dialed only within the country: +44 (0)7700 900123.
    let text = if is_abroad && text.contains("(0)") { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_punctuated = digits.len() < text.len();
    if digits.is_empty() || (is_punctuated && !has_plus && digits.len() < MIN_PUNCTUATED) {
        return None;
    }
    let abroad = digits.strip_prefix("00").filter(|digits| is_international(digits));
    Some(match abroad {
        Some(digits) => format!("+{digits}"),
        None if is_international(&digits) || (has_plus && !digits.starts_with('0')) => format!("+{digits}"),
        None => digits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_become_plus_and_digits() {
        for (raw, expected) in [
            ("+15558675310", "+15558675310"),
            ("whatsapp:+1 (555) 867-5310", "+15558675310"),
            ("RCS:+15558675310", "+15558675310"),
            ("WhatsApp: 15558675310", "+15558675310"),
            ("rcs:brand_agent", "brand_agent"),
            (" 1234567890", "+1234567890"),
            (" 07860123456", "+07860123456"),
            ("07860123456", "07860123456"),
            ("ACME", "ACME"),
            ("15558675310", "15558675310"),
            ("sip:+1@example.com", "sip:+1@example.com"),
            ("client:ada", "client:ada"),
        ] {
            assert_eq!(phone(raw).as_deref(), Some(expected));
        }
        assert_eq!(phone(" "), None);
    }

    #[test]
    fn international_numbers_need_no_plus() {
        for (raw, expected) in [
            ("447700900000", "+447700900000"),
            ("+447700900000", "+447700900000"),
            ("0123456789", "0123456789"),
            ("07860123456", "07860123456"),
            ("12345", "12345"),
            ("ACME", "ACME"),
        ] {
            assert_eq!(international(raw).as_deref(), Some(expected));
        }
    }
}
