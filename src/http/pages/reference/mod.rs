//! The API reference: the OpenAPI document as a page.

mod access;
mod curl;
mod json;
mod operation;
mod schema;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::header};
use askama::Template;
use serde_json::Value;

use self::{
    access::Access,
    json::{at, members, paragraphs},
    operation::Group,
    schema::Schema,
};
use super::{
    components::Markup,
    context::Context,
    error_page::ErrorPage,
    layout::{Layout, Section},
};
use crate::{config::variables, http::openapi};

#[derive(Template)]
#[template(path = "reference.html")]
struct Page {
    layout: Layout,
    reference: &'static Reference,
    /// Origin of the URLs in the examples, with the prefix of the listener.
    origin: String,
}

struct Reference {
    description: Vec<Markup>,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
}

static REFERENCE: LazyLock<Reference> =
    LazyLock::new(|| Reference::new(&serde_json::to_value(openapi::document()).unwrap_or_default()));

impl Reference {
    fn new(document: &Value) -> Self {
        Self {
            description: paragraphs(&document["info"]),
            groups: operation::groups(document),
            schemas: members(at(document, "/components/schemas")).map(|(name, schema)| Schema::new(name, schema)).collect(),
        }
    }
}

pub(super) async fn show(context: Context, request: HttpRequest) -> Result<HttpResponse, ErrorPage> {
    let origin = format!("{}{}", origin(&request), context.gateway.ops_base_path);
    context.render(&Page { layout: context.layout(Section::Reference, "API"), reference: &REFERENCE, origin })
}

/// The origin of this request, if it is safe in a shell command.
fn origin(request: &HttpRequest) -> String {
    let is_plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte));
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).filter(is_plain);
    format!("http://{}", host.unwrap_or(variables::OPS_LISTEN.default))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn origin_is_safe_in_a_shell() {
        let origin_for = |host: &str| origin(&TestRequest::default().insert_header((header::HOST, host)).to_http_request());
        assert_eq!(origin_for("ops.example.com:8081"), "http://ops.example.com:8081");
        assert_eq!(origin_for("[::1]:8081"), "http://[::1]:8081");
        assert_eq!(origin_for("x';reboot;'"), "http://127.0.0.1:8081");
    }
}
