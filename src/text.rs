//! Text that every database accepts.

use std::borrow::Cow;

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
