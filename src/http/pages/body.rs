//! A request body as a page shows it: text, decoded form fields, or a hex dump of binary data.

use crate::form::Form;

/// Maximum number of bytes shown.
const MAX_SHOWN: usize = 64 << 10;

/// Bytes per line of a hex dump.
const BYTES_PER_LINE: usize = 16;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct BodyView {
    /// The text, or a hex dump.
    pub(super) text: String,
    pub(super) is_hex_dump: bool,
    /// The decoded form fields.
    pub(super) fields: Vec<(String, String)>,
    /// Length of the whole body in bytes.
    pub(super) length: usize,
    pub(super) is_truncated: bool,
}

impl BodyView {
    /// `is_form`: the content type is that of a form.
    pub(super) fn new(body: &[u8], is_form: bool) -> Self {
        let shown = body.get(..MAX_SHOWN).unwrap_or(body);
        let is_truncated = shown.len() < body.len();
        // The end may fall inside a character.
        let text = std::str::from_utf8(shown).ok().or_else(|| {
            let whole =
                std::str::from_utf8(shown).err().filter(|error| is_truncated && error.error_len().is_none())?.valid_up_to();
            std::str::from_utf8(shown.get(..whole)?).ok()
        });
        let text = text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
        let fields = if is_form { Form::decode(shown) } else { None };
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            text: text.map_or_else(|| hex_dump(shown), indent_json),
            is_hex_dump: text.is_none(),
            fields: fields
                .map(|form| form.pairs().map(|(name, value)| (lossy(name), lossy(value))).collect())
                .unwrap_or_default(),
            length: body.len(),
            is_truncated,
        }
    }
}

/// Indents JSON, preserving numbers and the order of members; returns other text unchanged.
fn indent_json(text: &str) -> String {
    let raw: Option<&serde_json::value::RawValue> = serde_json::from_str(text).ok();
    let value: Option<serde_json::Value> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

/// Offsets, bytes, and printable ASCII.
fn hex_dump(bytes: &[u8]) -> String {
    let line = |(number, bytes): (usize, &[u8])| {
        let codes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let printable: String =
            bytes.iter().map(|&byte| if matches!(byte, 0x20..0x7f) { char::from(byte) } else { '.' }).collect();
        format!("{:06x}  {:<47}  {printable}", number * BYTES_PER_LINE, codes.join(" "))
    };
    bytes.chunks(BYTES_PER_LINE).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_data_is_shown_as_a_hex_dump() {
        assert_eq!(BodyView::new("grüß <b>".as_bytes(), false).text, "grüß <b>");
        let bytes = BodyView::new(b"\x00\xffA", false);
        assert!(bytes.is_hex_dump);
        assert_eq!(bytes.text, format!("000000  {:<47}  ..A", "00 ff 41"));
    }

    #[test]
    fn form_fields_are_decoded() {
        let shown = BodyView::new(b"To=%2B1555&Body=a+b", true);
        assert_eq!(shown.fields, [("To".to_owned(), "+1555".to_owned()), ("Body".to_owned(), "a b".to_owned())]);
    }

    #[test]
    fn long_body_is_truncated_between_characters() {
        let long = BodyView::new(&[b"x", "ü".repeat(MAX_SHOWN).as_bytes()].concat(), false);
        assert!(long.is_truncated && !long.is_hex_dump);
        assert_eq!((long.text.len(), long.length), (MAX_SHOWN - 1, 2 * MAX_SHOWN + 1));
    }
}
