//! The SWML documents that are returned to fetches: the operator's, with both numbers inserted.

use serde_json::{Value, json};

use crate::{address, callback::Payload, json, provider::Settings};

const EXPECTED: &str = "expected a JSON file with an SWML document: `version` and `sections`, with a list `main`";

pub(super) struct Documents {
    standard: Value,
    /// For callers in `vip_numbers`.
    vip: Option<Value>,
    vip_numbers: Vec<String>,
}

impl Documents {
    pub(super) fn new(settings: &mut Settings<'_>) -> Self {
        let standard = read_document(settings, "SWML").unwrap_or_else(default_document);
        let vip = read_document(settings, "SWML_VIP");
        let numbers = settings.text("VIP_NUMBERS").unwrap_or_default();
        let vip_numbers: Vec<String> = numbers.split(',').flat_map(address::lookup_keys).collect();
        if vip.is_some() && vip_numbers.is_empty() {
            settings.warning("SWML_VIP", "is not used while VIP_NUMBERS is empty");
        }
        Self { standard, vip, vip_numbers }
    }

    /// The document for one fetch.
    pub(super) fn select(&self, payload: &Payload<'_>) -> String {
        let Some([from, to]) = numbers(payload) else {
            // A message fetches a document as well, and can only be received.
            return json!({ "version": "1.0.0", "sections": { "main": ["receive"] } }).to_string();
        };
        let is_vip = address::lookup_keys(&from).iter().any(|caller| self.vip_numbers.contains(caller));
        let document = self.vip.as_ref().filter(|_| is_vip).unwrap_or(&self.standard);
        fill(document, &sanitize(&from), &sanitize(&to)).to_string()
    }
}

/// The numbers of caller and callee; `None` for a message.
fn numbers(payload: &Payload<'_>) -> Option<[String; 2]> {
    match payload {
        Payload::Form(form) if form.has("CallSid") || !form.has("MessageSid") => {
            Some(["From", "To"].map(|name| form.owned(name).unwrap_or_default()))
        }
        Payload::Form(_) => None,
        Payload::Document(document) => {
            let payload = document.json().unwrap_or(&Value::Null);
            if json::at(payload, "/message").is_some() {
                return None;
            }
            let number =
                |names: [&str; 2]| names.iter().find_map(|name| json::text(payload, name)).unwrap_or_default().to_owned();
            Some([number(["/call/from_number", "/call/from"]), number(["/call/to_number", "/call/to"])])
        }
    }
}

/// Removes characters that are not part of a number or an address, because the caller chooses the number that is shown.
fn sanitize(number: &str) -> String {
    // A `+` that was not encoded arrives in a query as a blank.
    let number = if number.starts_with(' ') { format!("+{}", number.trim_start()) } else { number.to_owned() };
    number.chars().filter(|c| c.is_ascii_alphanumeric() || "+@:._-".contains(*c)).collect()
}

/// Inserts the numbers into the document's strings. Inserted text is not searched again.
fn fill(document: &Value, from: &str, to: &str) -> Value {
    match document {
        Value::String(text) => {
            let parts: Vec<String> = text.split("{from_number}").map(|part| part.replace("{to_number}", to)).collect();
            Value::String(parts.join(from))
        }
        Value::Array(list) => list.iter().map(|one| fill(one, from, to)).collect(),
        Value::Object(object) => object.iter().map(|(name, one)| (name.clone(), fill(one, from, to))).collect(),
        other => other.clone(),
    }
}

fn read_document(settings: &mut Settings<'_>, name: &str) -> Option<Value> {
    let text = settings.file(name)?;
    let document: Option<Value> = serde_json::from_str(&text).ok();
    let is_swml = |document: &Value| {
        json::at(document, "/version").is_some_and(Value::is_string)
            && json::at(document, "/sections/main").is_some_and(Value::is_array)
    };
    let document = document.filter(is_swml);
    if document.is_none() {
        settings.problem(name, EXPECTED);
    }
    document
}

/// The default document: it thanks and hangs up.
fn default_document() -> Value {
    json!({
        "version": "1.0.0",
        "sections": { "main": [{ "answer": {} }, { "play": { "url": "say:Thank you for calling. Goodbye." } }, { "hangup": {} }] },
    })
}
