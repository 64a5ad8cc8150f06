//! The path prefix under which a proxy shows the operations listener (`OPS_BASE_PATH`).
//!
//! Requests are accepted with and without it: a proxy may keep it or strip it, and probes and Prometheus need not know it. Responses have it
//! in everything that leads a browser on: redirects, cookies, and the links and forms of pages. No text in a page can be taken for one of
//! those, because the quotes of texts are escaped.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Uri,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use crate::gateway::Gateway;

/// The attributes that have a path.
const ATTRIBUTES: [&str; 3] = [" href=\"/", " action=\"/", " formaction=\"/"];

/// Strips the prefix from the path of a request, and adds it to the paths in the response.
pub(super) async fn apply(
    gateway: Data<Gateway>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let base = gateway.ops_base_path.as_str();
    if base.is_empty() {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if let Some(uri) = without_base(request.uri(), base) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    let mut response = next.call(request).await?;
    prefix_headers(response.headers_mut(), base);
    let content_type = response.headers().get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/html")) {
        return Ok(response.map_into_left_body());
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let page = to_bytes(body).await.map_err(Into::<Box<dyn std::error::Error>>::into)?;
    let page = prefix_page(&String::from_utf8_lossy(&page), base);
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(page))).map_into_right_body())
}

/// The address without the prefix, if it has it.
fn without_base(uri: &Uri, base: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base)?;
    let target = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        None | Some('?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn prefix_headers(headers: &mut HeaderMap, base: &str) {
    for (name, from, to) in
        [(header::LOCATION, "/", format!("{base}/")), (header::SET_COOKIE, "Path=/;", format!("Path={base}/;"))]
    {
        let value = headers.get(&name).and_then(|value| value.to_str().ok());
        let prefixed =
            value.filter(|value| name != header::LOCATION || value.starts_with('/')).map(|value| value.replacen(from, &to, 1));
        if let Some(prefixed) = prefixed.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, prefixed);
        }
    }
}

fn prefix_page(page: &str, base: &str) -> String {
    ATTRIBUTES
        .iter()
        .fold(page.to_owned(), |page, attribute| page.replace(attribute, &format!("{}{base}/", attribute.trim_end_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_stripped_as_whole_segments() {
        for (target, stripped) in [
            ("/waybill", Some("/")),
            ("/waybill?since=1h", Some("/?since=1h")),
            ("/waybill/", Some("/")),
            ("/waybill/messages/7?q=/waybill/", Some("/messages/7?q=/waybill/")),
            ("/waybill/waybill/x", Some("/waybill/x")),
            ("/waybills/messages", None),
            ("/messages", None),
            ("/Waybill/messages", None),
            ("*", None),
        ] {
            let uri: Uri = target.parse().expect("a target");
            assert_eq!(without_base(&uri, "/waybill").map(|uri| uri.to_string()).as_deref(), stripped, "{target}");
        }
    }

    #[test]
    fn links_forms_and_nothing_else_get_the_prefix() {
        let page = r##"<a href="/x"> <form class="c" action="/y"><button formaction="/z"><input value="/v"><a href="?c"><a href="#h"> &#34; href=&#34;/t"##;
        let expected = r##"<a href="/b/x"> <form class="c" action="/b/y"><button formaction="/b/z"><input value="/v"><a href="?c"><a href="#h"> &#34; href=&#34;/t"##;
        assert_eq!(prefix_page(page, "/b"), expected);
    }
}
