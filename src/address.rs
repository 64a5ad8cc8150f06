//! Phone numbers and e-mail addresses in the one form the tables use.

use crate::{status::Channel, text};

/// A number or sender of a messaging provider: the channel prefix removed, a phone number as `+` and digits, anything
/// else (alphanumeric senders, short codes, SIP addresses) as it came.
pub fn phone(raw: &str) -> Option<String> {
    let unprefixed = split_channel(raw).1;
    let bare = unprefixed.trim();
    let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
    // A `+` that a sender forgot to encode arrives from a form as a blank.
    let is_number = (bare.starts_with('+') || unprefixed.starts_with(' '))
        && !digits.is_empty()
        && bare.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c));
    if is_number { Some(format!("+{digits}")) } else { text::present(bare) }
}

/// The same from a provider that writes international numbers without a `+`: 8 to 15 digits (E.164; fewer are a short code).
pub fn international(raw: &str) -> Option<String> {
    let bare = raw.trim();
    let is_number = (8..=15).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some(format!("+{bare}")) } else { phone(raw) }
}

/// A number or an address as the tables have it, however it was typed.
pub fn any(typed: &str) -> String {
    let normalized = if typed.contains('@') { email(typed) } else { international(typed) };
    normalized.unwrap_or_else(|| typed.to_owned())
}

/// The channel that a prefix such as `whatsapp:` names.
pub fn channel(raw: &str) -> Option<Channel> {
    split_channel(raw).0
}

/// The bare address of `Name <local@Domain>`, domain in lower case.
pub fn email(raw: &str) -> Option<String> {
    let bare = match (raw.rfind('<'), raw.trim_end().strip_suffix('>')) {
        (Some(open), Some(closed)) => closed.get(open + 1..).unwrap_or(raw),
        _ => raw,
    };
    let bare = bare.trim();
    match bare.rsplit_once('@') {
        Some((local, domain)) => text::present(&format!("{local}@{}", domain.to_lowercase())),
        None => text::present(bare),
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
    fn phone_numbers_are_plus_and_digits() {
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
    fn email_addresses_are_bare() {
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
