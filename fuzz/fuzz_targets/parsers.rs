//! Forms, queries, documents, media types, and the masks of what is shown.

#![no_main]

use waybill::{
    callback::{PayloadKind, query_as_json},
    form::Form,
    json, mask, text,
};
use waybill_fuzz::{Described, callback};

/// Escapes every byte, so that decoding gives the same again.
fn encode(form: &Form<'_>) -> String {
    let escape = |text: &[u8]| text.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    form.pairs().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(form) = Form::decode(data) {
        let encoded = encode(&form);
        let again = Form::decode(encoded.as_bytes()).expect("as many fields");
        assert!(again.pairs().eq(form.pairs()), "decoding is not reversible");
    }
    drop(json::parse(data));
    let shown = text::lossy(data);
    assert!(!shown.contains('\0'));
    drop(query_as_json(&shown));
    drop(mask::url(&shown));
    assert!(text::truncated(&shown, 100).len() <= 100);
    let Some(described) = Described::parse(data) else { return };
    let callback = callback(described.endpoint, described.outgoing);
    drop(callback.media_type().map(str::to_owned));
    for kind in [PayloadKind::Declared, PayloadKind::Sniffed, PayloadKind::Hashed, PayloadKind::Parameters] {
        drop(kind.decode(&callback));
    }
});
