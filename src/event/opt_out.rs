//! Opt-out words: built-in and configured ones, and how a message is compared with them.

use std::collections::BTreeMap;

use strum::{AsRefStr, EnumString, IntoStaticStr, VariantArray};

use super::Inbound;
use crate::status::Channel;

/// The meaning of an opt-out word. The first one takes precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", ascii_case_insensitive)]
pub enum OptOut {
    /// Send no more messages.
    Stop,
    /// Resume messages.
    Start,
    /// Asks for help.
    Help,
}

/// Words that carriers and providers treat as an opt-out if a message consists of nothing else (Twilio docs "Opt-out keywords", CTIA
/// messaging principles; read 2026-11-22).
const BUILT_IN: [(OptOut, &[&str]); 3] = [
    (OptOut::Stop, &["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"]),
    // Not `yes`, which Twilio includes: it answers too many other questions.
    (OptOut::Start, &["start", "unstop"]),
    (OptOut::Help, &["help", "info"]),
];

/// The longest word in characters, without blanks and hyphens.
pub const MAX_WORD: usize = 40;

/// A longer text is more than a word with blanks and punctuation.
const MAX_TEXT: usize = 512;

/// The opt-out words of a gateway, folded, with their meanings.
#[derive(Clone, Debug)]
pub struct OptOutWords(BTreeMap<String, OptOut>);

impl Default for OptOutWords {
    fn default() -> Self {
        let folded = |(meaning, words): (OptOut, &'static [&str])| words.iter().map(move |word| ((*word).to_owned(), meaning));
        Self(BUILT_IN.into_iter().flat_map(folded).collect())
    }
}

/// A word cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordError {
    /// Nothing is left without blanks, hyphens and punctuation.
    Empty,
    TooLong,
    /// It has another meaning already.
    Taken(OptOut),
}

impl OptOutWords {
    /// Adds a word. One that is known with the same meaning changes nothing.
    pub fn add(&mut self, word: &str, meaning: OptOut) -> Result<(), WordError> {
        let folded = fold(word).ok_or(WordError::TooLong)?;
        if folded.is_empty() {
            return Err(WordError::Empty);
        }
        match *self.0.entry(folded).or_insert(meaning) {
            known if known == meaning => Ok(()),
            other => Err(WordError::Taken(other)),
        }
    }

    /// The meaning of a whole text. In chats such words have no special meaning.
    pub fn meaning(&self, text: &str, channel: Option<Channel>) -> Option<OptOut> {
        if !matches!(channel, Some(Channel::Sms | Channel::Mms | Channel::Whatsapp | Channel::Rcs)) {
            return None;
        }
        fold(text).and_then(|word| self.0.get(&word).copied())
    }

    /// The meaning of an inbound message: that of its text or, of several texts, of any.
    pub(super) fn meaning_of(&self, inbound: &Inbound, channel: Option<Channel>) -> Option<OptOut> {
        match &inbound.typed {
            Some(texts) => texts.iter().filter_map(|text| self.meaning(text, channel)).min(),
            None => self.meaning(inbound.text.as_deref()?, channel),
        }
    }
}

/// A text as it is compared: in lower case and half width, without blanks, hyphens, invisible characters, and the punctuation around it.
/// `None` if it is too long for a word.
fn fold(text: &str) -> Option<String> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let visible = text.chars().filter(|c| !is_ignored(*c)).map(half_width);
    let folded: String = visible.flat_map(char::to_lowercase).collect();
    let word = folded.trim_start_matches(is_opening).trim_end_matches(is_closing);
    (word.chars().count() <= MAX_WORD).then(|| word.to_owned())
}

/// Returns true for blanks of any width, hyphens and dashes, and characters that are not visible.
fn is_ignored(c: char) -> bool {
    const INVISIBLE: [std::ops::RangeInclusive<char>; 6] = [
        '\u{200B}'..='\u{200F}',
        '\u{202A}'..='\u{202E}',
        '\u{2060}'..='\u{206F}',
        '\u{FE00}'..='\u{FE0F}',
        '\u{2010}'..='\u{2015}',
        '\u{FFF9}'..='\u{FFFD}',
    ];
    const OTHERS: &str = "\u{AD}\u{34F}\u{61C}\u{180E}\u{2212}\u{2800}\u{3164}\u{FE58}\u{FE63}\u{FEFF}\u{FF0D}\u{FFA0}";
    if c.is_ascii() {
        return c.is_ascii_whitespace() || c.is_ascii_control() || c == '-' || c == '_';
    }
    c.is_whitespace() || c.is_control() || OTHERS.contains(c) || INVISIBLE.iter().any(|range| range.contains(&c))
}

/// The ASCII character of a full-width form.
fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        _ => c,
    }
}

/// Quotes, brackets, and the marks with which messengers show bold or struck text.
const QUOTES: &str = "\"'`´*~()[]{}<>‘’‚‛“”„‟‹›«»「」『』〈〉《》【】〝〞";

fn is_opening(c: char) -> bool {
    QUOTES.contains(c) || "¡¿".contains(c)
}

fn is_closing(c: char) -> bool {
    QUOTES.contains(c) || ".,;:!?…。、．｡､・।؟،؛‼⁇⁈⁉".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> Option<OptOut> {
        OptOutWords::default().meaning(text, Some(Channel::Sms))
    }

    #[test]
    fn blanks_hyphens_and_closing_punctuation_are_folded() {
        for text in [
            "STOP",
            "Opt out",
            "OPT-OUT",
            "opt_out",
            "stop.",
            "Stop!",
            "\"STOP\"",
            "“Stop”.",
            "STOP ALL",
            "un subscribe",
            "un\u{2011}subscribe",
            "  stop\r\n",
            "stop\u{A0}",
            "st\u{200B}op",
            "\u{FEFF}stop",
            "ＳＴＯＰ！",
            "stop。",
            "«stop»",
            "*STOP*",
            "(stop)",
            "stop !!!",
            "'stop',",
            "opt\u{3000}out",
            "\u{202A}STOP\u{202C}",
        ] {
            assert_eq!(meaning(text), Some(OptOut::Stop), "{text:?}");
        }
        assert_eq!(meaning("Un-stop."), Some(OptOut::Start));
        assert_eq!(meaning("help?"), Some(OptOut::Help));
    }

    #[test]
    fn sentences_and_other_words_have_no_meaning() {
        let long = format!("stop{}", " ".repeat(MAX_TEXT));
        for text in ["", ".", "please stop", "stop by the shop", "stop it", "stopping", "don't stop", "1stop", "s.t.o.p", &long] {
            assert_eq!(meaning(text), None, "{text:?}");
        }
        assert_eq!(OptOutWords::default().meaning("STOP", Some(Channel::Chat)), None);
        assert_eq!(OptOutWords::default().meaning("STOP", None), None);
    }

    #[test]
    fn words_are_added_with_one_meaning() {
        let mut words = OptOutWords::default();
        assert_eq!(words.add("Arrêt", OptOut::Stop), Ok(()));
        assert_eq!(words.add("stop", OptOut::Stop), Ok(()));
        assert_eq!(words.add("STOP!", OptOut::Start), Err(WordError::Taken(OptOut::Stop)));
        assert_eq!(words.add(" - ", OptOut::Stop), Err(WordError::Empty));
        assert_eq!(words.add(&"a".repeat(MAX_WORD + 1), OptOut::Stop), Err(WordError::TooLong));
        assert_eq!(words.meaning("ARRÊT.", Some(Channel::Rcs)), Some(OptOut::Stop));
    }
}
