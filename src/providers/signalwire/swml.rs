//! The SWML documents with which fetches are answered: the operator's, with the two numbers put in.

use serde_json::{Value, json};

use crate::{address, callback::Payload, config::settings::Settings, json};

const EXPECTED: &str = "expected a JSON file with an SWML document: `version` and `sections`, with a list `main`";

/// The documents of one account.
pub(super) struct Documents {
    standard: Value,
    /// For the callers in the list.
    vip: Option<Value>,
    vip_numbers: Vec<String>,
}

impl Documents {
    pub(super) fn read(settings: &mut Settings<'_, '_>) -> Self {
        let standard = document(settings, "SWML").unwrap_or_else(polite);
        let vip = document(settings, "SWML_VIP");
        let numbers = settings.text("VIP_NUMBERS").unwrap_or_default();
        let vip_numbers: Vec<String> = numbers.split(',').filter_map(address::phone).collect();
        if vip.is_some() && vip_numbers.is_empty() {
            settings.warning("SWML_VIP", "is answered to nobody while VIP_NUMBERS is empty");
        }
        Self { standard, vip, vip_numbers }
    }

    /// The answer to one fetch.
    pub(super) fn answer(&self, payload: &Payload<'_>) -> String {
        let Some([from, to]) = numbers(payload) else {
            // A message fetches as well; all there is to do with it is to receive it.
            return json!({ "version": "1.0.0", "sections": { "main": ["receive"] } }).to_string();
        };
        let is_vip = address::phone(&from).is_some_and(|caller| self.vip_numbers.contains(&caller));
        let document = self.vip.as_ref().filter(|_| is_vip).unwrap_or(&self.standard);
        filled(document, &plain(&from), &plain(&to)).to_string()
    }
}

/// Caller and called; nothing if it is no call but a message.
fn numbers(payload: &Payload<'_>) -> Option<[String; 2]> {
    match payload {
        Payload::Form(form) if form.has("CallSid") || !form.has("MessageSid") => {
            Some(["From", "To"].map(|name| form.owned(name).unwrap_or_default()))
        }
        Payload::Form(_) => None,
        Payload::Document(body) => {
            let payload = json::read(body).unwrap_or_default();
            if payload.pointer("/message").is_some() {
                return None;
            }
            let number =
                |names: [&str; 2]| names.iter().find_map(|name| json::text(&payload, name)).unwrap_or_default().to_owned();
            Some([number(["/call/from_number", "/call/from"]), number(["/call/to_number", "/call/to"])])
        }
    }
}

/// Whoever calls chooses the number that is shown: what has no place in one is left out.
fn plain(number: &str) -> String {
    // A `+` that was not encoded arrives from a query as a blank.
    let number = if number.starts_with(' ') { format!("+{}", number.trim_start()) } else { number.to_owned() };
    number.chars().filter(|c| c.is_ascii_alphanumeric() || "+@:._-".contains(*c)).collect()
}

/// The document with the numbers in its strings. What is put in is not looked at again.
fn filled(document: &Value, from: &str, to: &str) -> Value {
    match document {
        Value::String(text) => {
            let parts: Vec<String> = text.split("{from_number}").map(|part| part.replace("{to_number}", to)).collect();
            Value::String(parts.join(from))
        }
        Value::Array(list) => list.iter().map(|one| filled(one, from, to)).collect(),
        Value::Object(object) => object.iter().map(|(name, one)| (name.clone(), filled(one, from, to))).collect(),
        other => other.clone(),
    }
}

fn document(settings: &mut Settings<'_, '_>, name: &str) -> Option<Value> {
    let text = settings.file(name)?;
    let document: Option<Value> = serde_json::from_str(&text).ok();
    let is_swml = |document: &Value| {
        document.pointer("/version").is_some_and(Value::is_string)
            && document.pointer("/sections/main").is_some_and(Value::is_array)
    };
    let document = document.filter(is_swml);
    if document.is_none() {
        settings.problem(name, EXPECTED);
    }
    document
}

/// Unless told otherwise, nobody is left waiting.
fn polite() -> Value {
    json!({
        "version": "1.0.0",
        "sections": { "main": [{ "answer": {} }, { "play": { "url": "say:Thank you for calling. Goodbye." } }, { "hangup": {} }] },
    })
}
