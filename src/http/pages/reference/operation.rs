//! Operations, grouped by tag.

use serde_json::Value;

use super::{
    access::Access,
    curl::Curl,
    json::{at, items, members, paragraphs, text},
    schema::{Field, Type},
};
use crate::http::pages::components::{Badge, Markup, Severity};

pub(super) struct Group {
    pub(super) name: String,
    pub(super) operations: Vec<Operation>,
}

pub(super) struct Operation {
    pub(super) id: String,
    /// In upper case.
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: Markup,
    pub(super) description: Vec<Markup>,
    pub(super) access: Access,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Option<Type>,
    pub(super) successes: Vec<Response>,
    pub(super) errors: Vec<Response>,
    pub(super) curl: Curl,
}

pub(super) struct Response {
    pub(super) status: String,
    pub(super) description: Vec<Markup>,
    pub(super) content_type: String,
    pub(super) body: Option<Type>,
}

impl Response {
    pub(super) fn badge(&self) -> Badge {
        let severity = match self.status.as_bytes().first() {
            Some(b'2') => Severity::Success,
            Some(b'5') => Severity::Failure,
            _ => Severity::Warning,
        };
        Badge::new(severity, &*self.status)
    }
}

/// The operations of a document, in the order of its tags and their paths.
pub(super) fn groups(document: &Value) -> Vec<Group> {
    let tags = items(&document["tags"]).map(|tag| text(tag, "name").to_owned());
    let mut groups: Vec<Group> = tags.map(|name| Group { name, operations: Vec::new() }).collect();
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            let name = at(operation, "/tags/0").as_str().unwrap_or("other");
            let operation = Operation::new(document, method, path, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name: name.to_owned(), operations: vec![operation] }),
            }
        }
    }
    groups
}

impl Operation {
    fn new(document: &Value, method: &str, path: &str, operation: &Value) -> Self {
        let access = Access::new(operation, method);
        let response = |(status, response): (&String, &Value)| {
            let content = members(&response["content"]).next();
            Response {
                status: status.clone(),
                description: paragraphs(response),
                content_type: content.map(|(content_type, _)| content_type.clone()).unwrap_or_default(),
                body: content.map(|(_, content)| Type::new(&content["schema"])),
            }
        };
        let responses = members(&operation["responses"]).map(response);
        let (successes, errors) = responses.partition(|response| response.status.starts_with('2'));
        let body = members(at(operation, "/requestBody/content")).next().map(|(_, content)| &content["schema"]);
        Self {
            id: text(operation, "operationId").to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: Markup::new(text(operation, "summary")),
            description: paragraphs(operation),
            access,
            parameters: items(&operation["parameters"]).map(Field::from_parameter).collect(),
            body: body.map(Type::new),
            successes,
            errors,
            curl: Curl::new(document, method, path, operation, access),
        }
    }
}
