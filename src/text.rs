//! Text that every database takes.

use std::borrow::Cow;

/// Replaces NUL, which Postgres refuses in text, by U+FFFD. The raw bytes keep it.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// [`clean`]ed text, or nothing if there is none.
pub fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| clean(text).into_owned())
}

/// Text without control characters but line breaks and tabs: each is replaced by what `instead` makes of it.
pub fn without_control(text: &str, instead: impl Fn(char) -> String) -> String {
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if is_control(c) { instead(c) } else { c.to_string() }).collect()
}

/// Whether a text is a plain decimal number, as money is kept.
pub fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.len() <= 30 && part.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(fraction)
}
