//! Text that every database accepts.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Replaces NUL, which Postgres does not accept in text, by U+FFFD.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// Decodes and [`clean`]s; bytes that are not UTF-8 become U+FFFD.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => clean(text),
        Err(_) => Cow::Owned(clean_owned(String::from_utf8_lossy(bytes).into_owned())),
    }
}

/// [`clean`]s an owned text, which is rarely copied.
pub fn clean_owned(text: String) -> String {
    if text.contains('\0') { clean(&text).into_owned() } else { text }
}

/// [`clean`]ed text, or `None` if it is empty.
pub fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| clean(text).into_owned())
}

/// The longest start of a text that has at most that many bytes.
pub fn truncated(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// A provider's id as it may be logged: as it is, if it is a UUID or hexadecimal with a short prefix, else as a short hash. Anything else may
/// be a number, an address or a text.
pub fn loggable_id(id: &str) -> Cow<'_, str> {
    const MIN_HEX: usize = 12;
    const MAX_OTHERS: usize = 6;
    const MAX_DECIMAL: usize = 9;
    let letters: Vec<u8> = id.bytes().filter(|byte| !b"-_".contains(byte)).collect();
    let hex = letters.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    let longest_number = id.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let is_id = letters.iter().all(u8::is_ascii_alphanumeric)
        && hex >= MIN_HEX
        && letters.len() - hex <= MAX_OTHERS
        && longest_number <= MAX_DECIMAL;
    if is_id {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(format!("#{}", hex::encode(Sha256::digest(id).iter().take(4).copied().collect::<Vec<u8>>())))
    }
}

/// Replaces control characters, except line breaks and tabs.
pub fn without_control(text: &str, instead: impl Fn(char) -> String) -> String {
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if is_control(c) { instead(c) } else { c.to_string() }).collect()
}

/// Returns true for a plain decimal number, the form in which money is stored.
pub fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.len() <= 30 && part.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_are_logged_as_they_are() {
        for id in [
            "SM0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "8bbe2376-feb9-5eca-9456-22bf570a2356",
            "CON-df985b1d-9799-5b49-b726-38c394d998b5",
        ] {
            assert_eq!(loggable_id(id), id);
        }
        for other in [
            "",
            "+15558675310",
            "15558675310",
            "0015558675310123",
            "tel15558675310",
            "a@example.com",
            "0a1b2c3d4e5f6071@example.com",
            "Jane Doe",
            "jane-doe-1985",
            "0123456789abcdef\n0123456789abcdef",
        ] {
            let logged = loggable_id(other);
            assert!(logged.starts_with('#') && logged.len() == 9, "{other}: {logged}");
        }
    }
}
