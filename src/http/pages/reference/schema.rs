//! Schemas: types as text with links, fields as table rows.

use askama::{Template, filters::HtmlSafe};
use serde_json::Value;

use super::json::{items, members, paragraphs, text};
use crate::http::pages::components::Markup;

/// A named schema.
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) description: Vec<Markup>,
    /// `None` if it has fields.
    pub(super) type_: Option<Type>,
    pub(super) constraints: Markup,
    /// Schemas whose fields it also has.
    pub(super) includes: Option<Type>,
    pub(super) fields: Vec<Field>,
}

impl Schema {
    pub(super) fn new(name: &str, schema: &Value) -> Self {
        let parts = || items(&schema["allOf"]);
        let fields: Vec<Field> = parts()
            .chain([schema])
            .flat_map(|part| members(&part["properties"]).map(move |field| Field::from_property(part, field)))
            .collect();
        let included: Vec<Type> = parts().filter(|part| part["$ref"].is_string()).map(Type::new).collect();
        Self {
            name: name.to_owned(),
            description: paragraphs(schema),
            type_: fields.is_empty().then(|| Type::new(schema)),
            constraints: Markup::new(&constraints(schema)),
            includes: (!included.is_empty()).then(|| Type::joined(included, " and ")),
            // Required fields first, also across the parts of an `allOf`.
            fields: {
                let (required, optional): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| field.is_required);
                required.into_iter().chain(optional).collect()
            },
        }
    }
}

/// A field of a schema, or a parameter.
pub(super) struct Field {
    pub(super) name: String,
    /// Location of a parameter: `path`, `query` or `header`. Empty for a field.
    pub(super) location: String,
    pub(super) is_required: bool,
    pub(super) type_: Type,
    pub(super) constraints: Markup,
    pub(super) description: Vec<Markup>,
}

impl Field {
    pub(super) fn from_parameter(parameter: &Value) -> Self {
        let location = text(parameter, "in").to_owned();
        Self { location, ..Self::new(text(parameter, "name"), parameter["required"] == true, &parameter["schema"], parameter) }
    }

    fn from_property(schema: &Value, (name, property): (&String, &Value)) -> Self {
        Self::new(name, items(&schema["required"]).any(|required| required == name), property, property)
    }

    fn new(name: &str, is_required: bool, schema: &Value, described: &Value) -> Self {
        // The description of the field itself, or else of its type.
        let description =
            [described, schema, non_null(schema)].into_iter().map(paragraphs).find(|description| !description.is_empty());
        Self {
            name: name.to_owned(),
            location: String::new(),
            is_required,
            type_: Type::new(schema),
            constraints: Markup::new(&constraints(non_null(schema))),
            description: description.unwrap_or_default(),
        }
    }
}

/// The schema of an optional value, without null.
fn non_null(schema: &Value) -> &Value {
    items(&schema["oneOf"]).find(|one| one["type"] != "null").unwrap_or(schema)
}

/// A type as text, with links to the schemas it names.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "components/type.html")]
pub(super) struct Type(Vec<Word>);

/// The template escapes the words.
impl HtmlSafe for Type {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Text(String),
    Schema(String),
}

impl Type {
    pub(super) fn new(schema: &Value) -> Self {
        if let Some((_, name)) = text(schema, "$ref").rsplit_once('/') {
            return Self(vec![Word::Schema(name.to_owned())]);
        }
        for (parts, separator) in [("oneOf", " or "), ("allOf", " and ")] {
            if schema[parts].is_array() {
                return Self::joined(items(&schema[parts]).map(Self::new).collect(), separator);
            }
        }
        if schema["type"] == "array" {
            return Self::new(&schema["items"]).prefixed("array of ");
        }
        if schema["additionalProperties"].is_object() {
            return Self::new(&schema["additionalProperties"]).prefixed("map of ");
        }
        let names: Vec<&str> =
            schema["type"].as_str().into_iter().chain(items(&schema["type"]).filter_map(Value::as_str)).collect();
        let name = if names.is_empty() { "any JSON".to_owned() } else { names.join(" or ") };
        let is_time = schema["format"] == "date-time";
        Self(vec![Word::Text(if is_time { name.replace("string", "time") } else { name })])
    }

    fn joined(types: Vec<Self>, separator: &str) -> Self {
        // Null is last.
        let (null, mut types): (Vec<_>, Vec<_>) =
            types.into_iter().partition(|one| *one == Self(vec![Word::Text("null".to_owned())]));
        types.extend(null);
        Self(types.into_iter().map(|one| one.0).collect::<Vec<_>>().join(&Word::Text(separator.to_owned())))
    }

    fn prefixed(mut self, text: &str) -> Self {
        self.0.insert(0, Word::Text(text.to_owned()));
        self
    }
}

/// The constraints of a schema, as text.
fn constraints(schema: &Value) -> String {
    let code = |value: &Value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let values: Vec<String> = items(&schema["enum"]).map(code).collect();
    let range = |min: &str, max: &str, unit: &str| match (&schema[min], &schema[max]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, max) => Some(format!("at most {max}{unit}")),
        (min, Value::Null) => Some(format!("at least {min}{unit}")),
        (min, max) => Some(format!("{min} to {max}{unit}")),
    };
    let labeled = |name: &str, label: &str| (!schema[name].is_null()).then(|| format!("{label} {}", code(&schema[name])));
    let example = schema["examples"].get(0).map(|example| format!("for example {}", code(example)));
    let all = [
        (!values.is_empty()).then(|| values.join(", ")),
        range("minimum", "maximum", ""),
        range("minLength", "maxLength", " characters"),
        labeled("pattern", "pattern"),
        labeled("default", "default"),
        labeled("example", "for example").or(example),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_text_and_links() {
        let link = |name: &str| format!(r##"<a href="#schema-{name}">{name}</a>"##);
        let rendered = |schema: Value| Type::new(&schema).to_string();
        assert_eq!(rendered(json!({ "type": ["string", "null"] })), "string or null");
        assert_eq!(rendered(json!({ "type": "string", "format": "date-time" })), "time");
        assert_eq!(rendered(json!({})), "any JSON");
        let reference = json!({ "$ref": "#/components/schemas/Message" });
        assert_eq!(rendered(json!({ "type": "array", "items": reference })), format!("array of {}", link("Message")));
        assert_eq!(rendered(json!({ "oneOf": [{ "type": "null" }, reference] })), format!("{} or null", link("Message")));
        assert_eq!(rendered(json!({ "type": "object", "additionalProperties": { "type": "string" } })), "map of string");
    }

    #[test]
    fn constraints_are_joined() {
        assert_eq!(constraints(&json!({ "minimum": 1, "maximum": 500, "default": 100 })), "1 to 500; default `100`");
        assert_eq!(constraints(&json!({ "enum": ["text", "base64"] })), "`text`, `base64`");
        assert_eq!(
            constraints(&json!({ "maxLength": 255, "examples": ["7012-345"] })),
            "at most 255 characters; for example `7012-345`"
        );
        assert_eq!(constraints(&json!({})), "");
    }

    #[test]
    fn required_fields_are_first() {
        let schema = json!({ "properties": { "a": {}, "b": {} }, "required": ["b"] });
        let names: Vec<String> = Schema::new("S", &schema).fields.into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
