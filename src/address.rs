//! Normalization of phone numbers and e-mail addresses.

use crate::{status::Channel, text};

/// Normalizes a number or sender of a messaging provider: the channel prefix is removed, a phone number becomes `+` and digits, anything
/// else (alphanumeric senders, short codes, SIP addresses) is unchanged.
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

/// [`phone`], for providers that write international numbers without a `+`: 8 to 15 digits (E.164; fewer are a short code).
pub fn international(raw: &str) -> Option<String> {
    let trimmed = raw.trim();
    let is_number = (8..=15).contains(&trimmed.len()) && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some(format!("+{trimmed}")) } else { phone(raw) }
}

/// Normalizes a number or an e-mail address as an operator types it.
pub fn normalize(typed: &str) -> String {
    let normalized = if typed.contains('@') { email(typed) } else { international(typed) };
    normalized.unwrap_or_else(|| typed.to_owned())
}

/// The longest address that can be looked up.
const MAX_KEY: usize = 320;

/// The lookup keys of the addresses in a text: e-mail addresses in lower case, anything else unchanged. Text that is longer than any
/// address is skipped.
pub fn lookup_keys(text: &str) -> Vec<String> {
    let one = |part: &str| {
        let part = part.trim();
        let key = if part.contains('@') { email(part)?.to_lowercase() } else { part.to_owned() };
        (1..=MAX_KEY).contains(&key.len()).then_some(key)
    };
    if text.contains('@') { text.split(", ").filter_map(one).collect() } else { one(text).into_iter().collect() }
}

/// The channel named by a prefix such as `whatsapp:`.
pub fn channel(raw: &str) -> Option<Channel> {
    split_channel(raw).0
}

/// The address in `Name <local@Domain>`, with the domain in lower case.
pub fn email(raw: &str) -> Option<String> {
    let trimmed = match (raw.rfind('<'), raw.trim_end().strip_suffix('>')) {
        (Some(open), Some(closed)) => closed.get(open + 1..).unwrap_or(raw),
        _ => raw,
    };
    let trimmed = trimmed.trim();
    match trimmed.rsplit_once('@') {
        Some((local, domain)) => text::present(&format!("{local}@{}", domain.to_lowercase())),
        None => text::present(trimmed),
    }
}

fn split_channel(raw: &str) -> (Option<Channel>, &str) {
    match raw.split_once(':') {
        Some(("whatsapp", rest)) => (Some(Channel::Whatsapp), rest),
        Some(("rcs", rest)) => (Some(Channel::Rcs), rest),
        Some(("messenger", rest)) => (Some(Channel::Chat), rest),
        _ => (None, raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_become_plus_and_digits() {
        for (raw, expected) in [
            ("+15558675310", "+15558675310"),
            ("whatsapp:+1 (555) 867-5310", "+15558675310"),
            ("rcs:brand_agent", "brand_agent"),
            (" 1234567890", "+1234567890"),
            ("ACME", "ACME"),
            ("15558675310", "15558675310"),
            ("sip:+1@example.com", "sip:+1@example.com"),
        ] {
            assert_eq!(phone(raw).as_deref(), Some(expected));
        }
        assert_eq!(phone(" "), None);
    }

    #[test]
    fn international_numbers_need_no_plus() {
        for (raw, expected) in
            [("447700900000", "+447700900000"), ("+447700900000", "+447700900000"), ("12345", "12345"), ("ACME", "ACME")]
        {
            assert_eq!(international(raw).as_deref(), Some(expected));
        }
    }

    #[test]
    fn email_addresses_have_no_display_name() {
        for (raw, expected) in [
            ("Ada <Ada@Dest.Example>", "Ada@dest.example"),
            ("a@B.C", "a@b.c"),
            ("\"<x>\" <a@b>", "a@b"),
            ("odd", "odd"),
            ("<", "<"),
        ] {
            assert_eq!(email(raw).as_deref(), Some(expected));
        }
    }
}
