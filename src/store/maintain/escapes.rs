//! Decoding of what a person's data may be escaped with in a stored text: JSON in a form in JSON, in any combination.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Characters that no encoded value contains, so that they separate values. `+` and `%` are part of one.
const SEPARATORS: &[char] = &['&', '=', '?', '"', '\'', ',', ';', '<', '>', '{', '}', '[', ']', ' ', '\n', '\r', '\t'];

/// The text with one layer of escapes decoded; `None` if it has none.
pub(super) fn decode(text: &str) -> Option<String> {
    // Percent encoding leaves no backslash, so where there is one, JSON is the outer layer.
    let decoded = if text.contains('\\') {
        json_unescape(text)
    } else if text.contains('%') {
        percent_decode(text)
    } else {
        return None;
    };
    (decoded != text).then_some(decoded)
}

/// Decodes percent-encoded bytes. A `+` is a blank only in a value with an encoded `@`: a sender that encodes one character encodes the other.
fn percent_decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(SEPARATORS) {
        let is_encoded_address = part.as_bytes().windows(3).any(|bytes| bytes == b"%40");
        let blank = if is_encoded_address { part.replace('+', " ") } else { String::new() };
        let part = if is_encoded_address { &blank } else { part };
        let bytes: Cow<'_, [u8]> = percent_decode_str(part).into();
        match std::str::from_utf8(&bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&latin1(&bytes)),
        }
    }
    out
}

/// The text that bytes are which are not UTF-8: old senders encode in ISO 8859-1.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Decodes the escapes of JSON strings (RFC 8259, 7). Half of a surrogate pair becomes U+FFFD.
fn json_unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        rest = escaped;
        let Some(c) = rest.chars().next() else { break };
        let mut length = c.len_utf8();
        match c {
            'u' => match unit(rest) {
                Some(first) => {
                    length = 5;
                    let low = rest.get(5..).and_then(|rest| rest.strip_prefix('\\')).and_then(unit);
                    let pair = low.and_then(|low| char::decode_utf16([first, low]).next()?.ok()).filter(|c| c.len_utf16() == 2);
                    length += if pair.is_some() { 6 } else { 0 };
                    let alone = char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.push(pair.unwrap_or(alone));
                }
                None => out.push('u'),
            },
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'b' | 'f' => out.push(' '),
            c => out.push(c),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The UTF-16 unit of an escape, without its backslash.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_layer_is_decoded() {
        for (text, expected) in [
            (r#""ren\u00e9e@x.example""#, r#""renée@x.example""#),
            (r"ren\u00E9e\u0040x.example", "renée@x.example"),
            (r"a\/b\n\u0022\\u0040", "a/b\n\"\\u0040"),
            (r"\ud83d\ude00 \ud83d \ude00", "😀 \u{fffd} \u{fffd}"),
            (r"\u00g0 \u12", "u00g0 u12"),
            ("To=Ada+%3Cada%40x.example%3e&n=1", "To=Ada <ada@x.example>&n=1"),
            ("x+ada@x.example&y=%41", "x+ada@x.example&y=A"),
            ("ren%C3%A9e%40x", "renée@x"),
            ("ren%e9e%40x", "renée@x"),
            ("%7B%22to%22%3A%22ren%5Cu00e9e%22%7D", r#"{"to":"ren\u00e9e"}"#),
        ] {
            assert_eq!(decode(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!((decode("plain"), decode("100 %")), (None, None));
        assert_eq!(decode("\\").as_deref(), Some(""));
    }
}
