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

/// The digits before the point, and after it, that a decimal number may have.
const MAX_DIGITS: usize = 30;

/// A decimal number, the form in which money is stored: exact, without exponent, with a digit before the point. Zeros at the
/// end remain. `None` for anything else, and for more than 30 digits before or after the point.
pub fn decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let (unsigned, sign) = match text.strip_prefix('-') {
        Some(unsigned) => (unsigned, "-"),
        None => (text.strip_prefix('+').unwrap_or(text), ""),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.len() <= MAX_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let exponent: isize = exponent.parse().ok()?;
    let digits = format!("{whole}{fraction}");
    // The position of the point among the digits; zeros are added on the side where it is beyond them.
    let point = isize::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let is_within = point.unsigned_abs() <= MAX_DIGITS && digits.len().saturating_add_signed(-point) <= MAX_DIGITS;
    if !is_within {
        return None;
    }
    let before = "0".repeat(usize::try_from(1 - point).unwrap_or(0));
    let after = "0".repeat(usize::try_from(point).unwrap_or(0).saturating_sub(digits.len()));
    let digits = format!("{before}{digits}{after}");
    let (whole, fraction) = digits.split_at_checked(usize::try_from(point.max(1)).ok()?)?;
    let significant = whole.trim_start_matches('0');
    let whole = if significant.is_empty() { "0" } else { significant };
    Some(format!("{sign}{whole}{}{fraction}", if fraction.is_empty() { "" } else { "." }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_have_no_exponent() {
        let long = "1".repeat(MAX_DIGITS);
        for (text, expected) in [
            ("0.03330000", "0.03330000"),
            ("10", "10"),
            ("1.5E-4", "0.00015"),
            ("1E-5", "0.00001"),
            ("1.05E+1", "10.5"),
            ("1.50e1", "15.0"),
            ("12e3", "12000"),
            ("0e0", "0"),
            ("0.00750", "0.00750"),
            ("-0.0075", "-0.0075"),
            ("-7.5e-3", "-0.0075"),
            ("+0.1", "0.1"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("0.05e2", "5"),
            ("007.50", "7.50"),
            ("5.", "5"),
            (" 1.25 ", "1.25"),
            ("1e-30", &format!("0.{}1", "0".repeat(29))),
            (&long, &long),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_decimals() {
        let long = "1".repeat(MAX_DIGITS + 1);
        for text in [
            "",
            " ",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1e+",
            "--1",
            "+-1",
            "1,5",
            "1.2.3",
            "1 2",
            "0x10",
            "NaN",
            "Infinity",
            "free",
            "EUR 1",
            "1e31",
            "1e-31",
            "1e999999999",
            "1e-999999999",
            "1e99999999999999999999",
            "1.5e-30",
            "١",
            &long,
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

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
