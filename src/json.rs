//! JSON from providers: text that a strict reader refuses for one bad character is still somebody's delivery receipt.

use serde_json::Value;

/// Reads a JSON text. Bytes that are no UTF-8 and escapes that are half a surrogate pair become U+FFFD; the raw body
/// keeps them. `None` if it is no JSON even so, or is nested deeper than 128 levels.
pub fn read(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().or_else(|| serde_json::from_str(&mend(&String::from_utf8_lossy(body))).ok())
}

/// Replaces escapes that are half a surrogate pair.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (written, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (escape.get(..12), 12),
            (Some(0xD800..=0xDFFF), _) => (Some("\\uFFFD"), 6),
            // Any other escape: the backslash and what it escapes, which may be a backslash.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (escape.get(..length), length)
            }
        };
        mended.push_str(written.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    mended + rest
}

/// The UTF-16 unit of an escape `\uXXXX` at the start.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        read(json.as_bytes())?.as_str().map(str::to_owned)
    }

    #[test]
    fn half_a_pair_becomes_the_replacement_character() {
        assert_eq!(text(r#""a\ud800b""#).as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(text(r#""\udc00\ud83d\ude00\ud83d""#).as_deref(), Some("\u{FFFD}😀\u{FFFD}"));
        assert_eq!(text(r#""\ud800\u0041\\ud800""#).as_deref(), Some("\u{FFFD}A\\ud800"));
    }

    #[test]
    fn other_text_is_untouched_and_other_errors_stay() {
        assert_eq!(text(r#""\ud83d\ude00 \n é""#).as_deref(), Some("😀 \n é"));
        assert_eq!(read(b"\"\xFF\"").and_then(|value| value.as_str().map(str::to_owned)).as_deref(), Some("\u{FFFD}"));
        for broken in ["", "{", "\"\\", "\"\\u12", "\"\\uD8", "\\"] {
            assert_eq!(read(broken.as_bytes()), None, "{broken}");
        }
        assert_eq!(read("[".repeat(100_000).as_bytes()), None);
    }
}
