//! Lists of e-mail addresses as in a header (RFC 5322), also in the malformed notations that senders use. Display names are skipped.
//!
//! No crate does this: parsers of messages decode much more than addresses and reject what is malformed.

use std::borrow::Cow;

use super::email;

/// Maximum number of addresses of one text.
const MAX_ADDRESSES: usize = 1_000;

/// Longest encoded word (RFC 2047: 75, which some senders exceed).
const MAX_ENCODED_WORD: usize = 256;

/// An e-mail address without its display name.
#[derive(Debug)]
pub(super) struct Mailbox<'t> {
    pub(super) local: Cow<'t, str>,
    pub(super) domain: &'t str,
}

/// The addresses in a text.
pub(super) fn mailboxes(text: &str) -> Vec<Mailbox<'_>> {
    let mut found = Vec::new();
    for segment in segments(text) {
        if found.len() < MAX_ADDRESSES {
            read_segment(segment, &mut found);
        }
    }
    found.truncate(MAX_ADDRESSES);
    found
}

/// The parts of a list between its separators, each an address with what belongs to it.
pub fn segments(text: &str) -> impl Iterator<Item = &str> {
    let mut units = Units::default();
    let (mut start, mut at) = (0, 0);
    std::iter::from_fn(move || {
        while let Some(byte) = text.as_bytes().get(at) {
            if let Some(end) = units.end(text, at) {
                at = end;
                continue;
            }
            at += 1;
            if b",;".contains(byte) {
                let segment = text.get(start..at - 1);
                start = at;
                return segment;
            }
        }
        let last = text.get(start..);
        start = text.len() + 1;
        last
    })
}

/// Returns true for a list that says that it has no address, such as `undisclosed-recipients:;` or `<>`.
pub(super) fn is_empty(text: &str) -> bool {
    text == "<>" || (text.ends_with([':', ';']) && text.contains(':') && !text.contains('@'))
}

/// Returns true for text without anything that has a meaning in a list.
pub(super) fn is_word(text: &str) -> bool {
    !text.ends_with('@') && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>()[]:;,\\\"".contains(c))
}

fn read_segment<'t>(segment: &'t str, found: &mut Vec<Mailbox<'t>>) {
    let mut units = Units::default();
    let (mut words, mut in_angles) = (Vec::new(), None);
    let (mut word, mut at) = (None, 0);
    while let Some(byte) = segment.as_bytes().get(at).copied() {
        let end = units.end(segment, at);
        let follows_at = at > 0 && segment.as_bytes().get(at - 1) == Some(&b'@');
        let precedes_at = end.is_some_and(|end| segment.as_bytes().get(end) == Some(&b'@'));
        let is_literal = byte == b'[' && follows_at;
        // Some mail clients write `Ada [mailto:ada@x.example]`.
        let next = end.filter(|_| byte != b'[' || is_literal).unwrap_or(at + 1);
        match byte {
            b'"' if precedes_at => word = word.or(Some(at)),
            b'[' if end.is_some() && is_literal => {}
            // A colon ends the name of a group, or a scheme.
            b'"' | b'(' | b')' | b'[' | b']' | b'<' | b'>' | b':' | b'\\' | b' ' | b'\t' | b'\r' | b'\n' => {
                words.extend(word.take().and_then(|start| segment.get(start..at)));
                if byte == b'<'
                    && let Some(bare) = end.and_then(|end| segment.get(at + 1..end - 1))
                {
                    in_angles = mailbox(bare).or(in_angles);
                }
            }
            b'=' if end.is_some() => word = None,
            _ => word = word.or(Some(at)),
        }
        at = next;
    }
    words.extend(word.and_then(|start| segment.get(start..)));
    match in_angles {
        Some(mailbox) => found.push(mailbox),
        None => found.extend(words.into_iter().filter_map(mailbox)),
    }
}

/// Parses an address without display name. A route before it (RFC 5322, 4.4) and the scheme `mailto:` are skipped.
fn mailbox(text: &str) -> Option<Mailbox<'_>> {
    const SCHEME: &str = "mailto:";
    let text = text.trim().trim_start_matches('<');
    // Apostrophes around an address are quotation marks.
    let text = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
    let text = if text.starts_with('@') { text.split_once(':')?.1 } else { text };
    let text = match text.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => text.get(SCHEME.len()..)?,
        _ => text,
    };
    let (local, domain) = text.rsplit_once('@')?;
    let domain = domain.split('?').next()?.trim_end_matches('.');
    is_domain(domain).then_some(Mailbox { local: email::unquoted(local)?, domain })
}

/// Returns true for what can be a domain, or an address literal such as `[192.0.2.1]`.
pub(super) fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_graphic());
    }
    let is_allowed = |c: char| {
        if c.is_ascii() { c.is_ascii_alphanumeric() || "-._".contains(c) } else { !c.is_whitespace() && !c.is_control() }
    };
    !domain.is_empty() && !domain.starts_with('.') && !domain.contains("..") && domain.chars().all(is_allowed)
}

/// Delimited parts of a text, in which separators separate nothing: quoted strings, comments, `<…>`, `[…]`, encoded words.
#[derive(Default)]
struct Units {
    /// Delimiters that are not closed in the rest of the text: without this, reading many of them would take quadratic time.
    unclosed: Vec<u8>,
}

impl Units {
    /// The end of the part that starts there; `None` if none does, or if it is not closed.
    fn end(&mut self, text: &str, at: usize) -> Option<usize> {
        let rest = text.as_bytes().get(at..)?;
        let opening = *rest.first()?;
        if self.unclosed.contains(&opening) {
            return None;
        }
        let length = match opening {
            b'"' => quoted(rest),
            b'(' => comment(rest),
            b'<' => angles(rest),
            b'[' => rest.iter().position(|byte| *byte == b']').map(|last| last + 1),
            b'=' => return encoded_word(rest).map(|length| at + length),
            _ => return None,
        };
        if length.is_none() {
            self.unclosed.push(opening);
        }
        length.map(|length| at + length)
    }
}

/// The length of a quoted string.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    let closing = text.iter().skip(1).position(|byte| {
        let is_closing = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_closing
    });
    closing.map(|last| last + 2)
}

/// The length of a comment, which may contain others.
fn comment(text: &[u8]) -> Option<usize> {
    let (mut depth, mut is_escaped) = (0_usize, false);
    let closing = text.iter().position(|byte| {
        match byte {
            b'(' if !is_escaped => depth += 1,
            b')' if !is_escaped => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_escaped = *byte == b'\\' && !is_escaped;
        depth == 0
    });
    closing.map(|last| last + 1)
}

/// The length of an address in angle brackets, whose local part may be quoted.
fn angles(text: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let closing = text.iter().position(|byte| {
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        *byte == b'>' && !is_quoted
    });
    closing.map(|last| last + 1)
}

/// The length of an encoded word (RFC 2047), which may contain a comma although it must not.
fn encoded_word(text: &[u8]) -> Option<usize> {
    let word = text.get(..text.len().min(MAX_ENCODED_WORD))?;
    let rest = word.strip_prefix(b"=?")?;
    let charset = rest.iter().position(|byte| *byte == b'?')?;
    let encoded = rest.get(charset + 1..)?;
    let ([_, b'?'], content) = encoded.split_first_chunk::<2>()? else { return None };
    let last = content.windows(2).position(|pair| pair == b"?=")?;
    let length = 2 + charset + 1 + 2 + last + 2;
    let is_word = !word.get(..length)?.iter().any(u8::is_ascii_whitespace);
    is_word.then_some(length)
}
