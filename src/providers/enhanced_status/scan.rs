//! Status codes and words in the text of a mail system.

/// The greatest subject in use.
const MAX_SUBJECT: u16 = 7;

/// Words before a number that is a version and not a code.
const PRODUCTS: [&str; 9] = ["version", "ver", "v", "release", "build", "exim", "postfix", "sendmail", "dovecot"];

/// Words before a reply code within a sentence.
const ANNOUNCEMENTS: [&str; 9] = ["smtp", "esmtp", "code", "error", "reply", "response", "with", "said", "returned"];

/// Punctuation between a reply code and its enhanced code.
const BETWEEN_CODES: &[char] = &[' ', '-', '#', '(', '[', '<', '\'', '"', ':', '\t', '\r', '\n'];

/// An enhanced status code.
#[derive(Clone, Copy, Debug)]
pub(super) struct EnhancedCode {
    /// `4` or `5`.
    pub(super) class: char,
    pub(super) subject: u16,
    pub(super) detail: u16,
    follows_reply: bool,
}

/// The codes of a text.
pub(super) struct Codes<'t> {
    pub(super) enhanced: Option<EnhancedCode>,
    pub(super) reply: Option<&'t str>,
}

/// The first reply code that is known, and of the enhanced codes the first one that names a cause and follows a reply code, else one that
/// names a cause, else any.
pub(super) fn codes(text: &str, names_cause: impl Fn(EnhancedCode) -> bool, is_reply: impl Fn(&str) -> bool) -> Codes<'_> {
    let enhanced = words(text).filter_map(|word| word.enhanced_code());
    Codes {
        enhanced: enhanced.min_by_key(|code| (!names_cause(*code), !code.follows_reply)),
        reply: words(text).filter(Word::is_announced).map(|word| word.text.trim_end_matches('.')).find(|text| is_reply(text)),
    }
}

/// The words of a text in lower case, with a blank before and after each.
pub(super) fn plain(text: &str) -> String {
    let mut plain = " ".to_owned();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        plain.push_str(&word.to_lowercase());
        plain.push(' ');
    }
    plain
}

/// A word of letters, digits and dots, with what precedes it.
struct Word<'t> {
    previous: &'t str,
    before: &'t str,
    text: &'t str,
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '.';
    let (mut rest, mut previous) = (text, "");
    std::iter::from_fn(move || {
        let (before, tail) = rest.split_at(rest.find(is_part)?);
        let (text, tail) = tail.split_at(tail.find(|c| !is_part(c)).unwrap_or(tail.len()));
        let word = Word { previous, before, text };
        (rest, previous) = (tail, text);
        Some(word)
    })
}

impl Word<'_> {
    /// The enhanced code that this word is, unless it is part of an address, a name or a version.
    fn enhanced_code(&self) -> Option<EnhancedCode> {
        let mut parts = self.text.trim_end_matches('.').split('.');
        let class = parts.next().filter(|class| ["4", "5"].contains(class))?.chars().next()?;
        let (subject, detail) = (number(parts.next()?)?, number(parts.next()?)?);
        let is_code = parts.next().is_none() && subject <= MAX_SUBJECT && !self.is_joined() && !self.is_version();
        is_code.then(|| EnhancedCode { class, subject, detail, follows_reply: self.follows_reply(class) })
    }

    fn is_joined(&self) -> bool {
        ["/", "-", "_", "@"].contains(&self.before) && self.previous.chars().any(char::is_alphabetic)
    }

    fn is_version(&self) -> bool {
        PRODUCTS.iter().any(|product| self.previous.eq_ignore_ascii_case(product))
    }

    fn follows_reply(&self, class: char) -> bool {
        self.previous.starts_with(class)
            && self.previous.len() == 3
            && number(self.previous).is_some()
            && self.before.trim_matches(BETWEEN_CODES).is_empty()
    }

    /// Returns true if a number at this place may be a reply code.
    fn is_announced(&self) -> bool {
        self.previous.is_empty()
            || self.before.contains(|c| !matches!(c, ' ' | '-'))
            || ANNOUNCEMENTS.iter().any(|word| self.previous.eq_ignore_ascii_case(word))
    }
}

/// A number of at most three digits.
fn number(text: &str) -> Option<u16> {
    let is_short = (1..=3).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| is_short)
}
