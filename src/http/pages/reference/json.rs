//! Access to the parts of a JSON document. What is missing counts as null or empty.

use serde_json::Value;

use crate::http::pages::components::Markup;

/// The value at a JSON pointer, or null.
pub(super) fn at<'d>(value: &'d Value, pointer: &str) -> &'d Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

pub(super) fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

pub(super) fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

pub(super) fn text<'d>(object: &'d Value, name: &str) -> &'d str {
    object[name].as_str().unwrap_or_default()
}

/// The description of an object, split into paragraphs.
pub(super) fn paragraphs(object: &Value) -> Vec<Markup> {
    text(object, "description").split("\n\n").filter(|paragraph| !paragraph.is_empty()).map(Markup::new).collect()
}
