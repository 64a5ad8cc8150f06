//! A body of a stranger, shown as what it is: text as text, a form as its fields, anything else as bytes.

use crate::form::Form;

/// Bytes that are shown.
const MOST: usize = 64 << 10;

/// Bytes in a line of a dump.
const LINE: usize = 16;

/// A body as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The text, or a dump.
    pub(super) text: String,
    pub(super) is_dump: bool,
    /// The decoded fields, if it is a form.
    pub(super) fields: Vec<(String, String)>,
    /// How many bytes there are in all.
    pub(super) length: usize,
    pub(super) is_cut: bool,
}

impl Shown {
    /// Reads the body. `is_form` says what its content type claims.
    pub(super) fn new(body: &[u8], is_form: bool) -> Self {
        let shown = body.get(..MOST).unwrap_or(body);
        let is_cut = shown.len() < body.len();
        // A cut may go through a character.
        let text = std::str::from_utf8(shown).ok().or_else(|| {
            let whole = std::str::from_utf8(shown).err().filter(|error| is_cut && error.error_len().is_none())?.valid_up_to();
            std::str::from_utf8(shown.get(..whole)?).ok()
        });
        let text = text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
        let fields = if is_form { Form::decode(shown) } else { None };
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            text: text.map_or_else(|| dump(shown), pretty),
            is_dump: text.is_none(),
            fields: fields
                .map(|form| form.pairs().map(|(name, value)| (lossy(name), lossy(value))).collect())
                .unwrap_or_default(),
            length: body.len(),
            is_cut,
        }
    }
}

/// JSON with its lines and blanks, its numbers and the order of its members as they came; other text as it is.
fn pretty(text: &str) -> String {
    let value: Option<&serde_json::value::RawValue> = serde_json::from_str(text).ok();
    let read: Option<serde_json::Value> = value.and_then(|raw| serde_json::from_str(raw.get()).ok());
    read.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

/// Offset, bytes, and the characters that can be shown.
fn dump(bytes: &[u8]) -> String {
    let line = |(number, bytes): (usize, &[u8])| {
        let codes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let seen: String = bytes.iter().map(|&byte| if matches!(byte, 0x20..0x7f) { char::from(byte) } else { '.' }).collect();
        format!("{:06x}  {:<47}  {seen}", number * LINE, codes.join(" "))
    };
    bytes.chunks(LINE).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_bytes_are_dumped() {
        assert_eq!(Shown::new("grüß <b>".as_bytes(), false).text, "grüß <b>");
        let bytes = Shown::new(b"\x00\xffA", false);
        assert!(bytes.is_dump);
        assert_eq!(bytes.text, format!("000000  {:<47}  ..A", "00 ff 41"));
    }

    #[test]
    fn a_form_is_also_shown_decoded() {
        let shown = Shown::new(b"To=%2B1555&Body=a+b", true);
        assert_eq!(shown.fields, [("To".to_owned(), "+1555".to_owned()), ("Body".to_owned(), "a b".to_owned())]);
    }

    #[test]
    fn a_long_body_is_cut_also_through_a_character() {
        let long = Shown::new(&[b"x", "ü".repeat(MOST).as_bytes()].concat(), false);
        assert!(long.is_cut && !long.is_dump);
        assert_eq!((long.text.len(), long.length), (MOST - 1, 2 * MOST + 1));
    }
}
