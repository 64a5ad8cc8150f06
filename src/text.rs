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
