//! Characters that differ without a difference in meaning: upper case, compositions, full-width forms, invisible characters.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The composed text (NFC) without invisible characters, with ASCII in place of full-width forms, and with plain blanks.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(composed(text.chars().filter_map(plain_char).collect())) }
}

fn composed(text: String) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    if nfc.is_normalized(&text) { text } else { nfc.normalize(&text).into_owned() }
}

/// Text that was pasted often contains marks of its direction, or a blank that does not break.
fn plain_char(c: char) -> Option<char> {
    match c {
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => None,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        _ => Some(c),
    }
}

/// [`plain`] text, with ASCII digits and hyphens as well.
pub fn plain_digits(text: &str) -> Cow<'_, str> {
    let one = |c: char| match c {
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        c => plain_char(c),
    };
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.chars().filter_map(one).collect()) }
}

/// The text in lower case and composed (NFC). Simple case folding: it distinguishes `ß` from `ss`, which are different mailboxes.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().filter_map(plain_char) {
        match c {
            // Forms of one letter at the end of a word.
            'ς' => folded.push('σ'),
            'ſ' => folded.push('s'),
            c => folded.extend(c.to_lowercase()),
        }
    }
    composed(folded)
}
