//! An operation as an example `curl` command.

use serde_json::{Map, Value, json};

use super::{
    access::Access,
    json::{at, items, members, text},
};

/// The parts of a `curl` command around the origin.
pub(super) struct Curl {
    /// One per line.
    pub(super) options: Vec<String>,
    /// Path and query.
    pub(super) target: String,
}

impl Curl {
    pub(super) fn new(document: &Value, method: &str, path: &str, operation: &Value, access: Access) -> Self {
        let mut options = Vec::new();
        if method != "get" {
            options.push(format!("-X {}", method.to_uppercase()));
        }
        if access != Access::Open {
            options.push(r#"-H "Authorization: Bearer $OPS_TOKEN""#.to_owned());
        }
        if at(operation, "/responses/200/content/text~1event-stream").is_object() {
            options.push("--no-buffer".to_owned());
        }
        if let Some((content_type, content)) = members(at(operation, "/requestBody/content")).next() {
            options.push(format!("-H 'Content-Type: {content_type}'"));
            options.push(format!("-d '{}'", example(document, &content["schema"])));
        }
        let mut target = path.to_owned();
        let mut query = Vec::new();
        for parameter in items(&operation["parameters"]) {
            let (name, schema) = (text(parameter, "name"), &parameter["schema"]);
            match text(parameter, "in") {
                "path" => target = target.replace(&format!("{{{name}}}"), "1"),
                // Parameters useful in an example: the default page length, a dry run.
                "query" if schema["type"] == "boolean" => query.push(format!("{name}=true")),
                "query" if !schema["default"].is_null() => query.push(format!("{name}={}", schema["default"])),
                _ => {}
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        Self { options, target }
    }
}

/// A minimal value of a schema, with required fields only.
fn example(document: &Value, schema: &Value) -> Value {
    if let Some(pointer) = text(schema, "$ref").strip_prefix('#') {
        return document.pointer(pointer).map(|schema| example(document, schema)).unwrap_or_default();
    }
    if let Some(first) = items(&schema["oneOf"]).find(|one| one["type"] != "null") {
        return example(document, first);
    }
    if let Some(given) = [&schema["example"], at(schema, "/examples/0"), &schema["default"], at(schema, "/enum/0")]
        .into_iter()
        .find(|value| !value.is_null())
    {
        return given.clone();
    }
    match text(schema, "type") {
        "object" => {
            let required = items(&schema["required"]).filter_map(Value::as_str);
            let field = |name: &str| (name.to_owned(), example(document, at(schema, &format!("/properties/{name}"))));
            Value::Object(required.map(field).collect::<Map<_, _>>())
        }
        "array" => json!([example(document, &schema["items"])]),
        "integer" => json!(1),
        "boolean" => json!(true),
        _ => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_required_parameters() {
        let document = json!({ "components": { "schemas": { "One": {
            "type": "object", "required": ["reference", "kind"],
            "properties": { "reference": { "type": "string", "example": "order-1" }, "kind": { "enum": ["a", "b"] }, "more": {} },
        } } } });
        let operation = json!({
            "parameters": [
                { "name": "id", "in": "path", "schema": { "type": "string" } },
                { "name": "dry_run", "in": "query", "schema": { "type": "boolean" } },
                { "name": "limit", "in": "query", "schema": { "type": "integer", "default": 100 } },
                { "name": "status", "in": "query", "schema": { "type": "string" } },
            ],
            "requestBody": { "content": { "application/json": { "schema": { "oneOf": [{ "$ref": "#/components/schemas/One" }] } } } },
        });
        let curl = Curl::new(&document, "post", "/api/things/{id}", &operation, Access::Write);
        assert_eq!(curl.target, "/api/things/1?dry_run=true&limit=100");
        assert_eq!(
            curl.options,
            [
                "-X POST",
                r#"-H "Authorization: Bearer $OPS_TOKEN""#,
                "-H 'Content-Type: application/json'",
                r#"-d '{"kind":"a","reference":"order-1"}'"#,
            ]
        );
        assert_eq!(Curl::new(&document, "get", "/livez", &json!({}), Access::Open).options, Vec::<String>::new());
    }
}
