//! Isolation of the operations listener in browsers: headers of every response, and checks of the host and the site that a request
//! names. Browsers add a password and a cookie to requests from any site; these checks hold before either is looked at.

use std::net::IpAddr;

use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap},
    },
    middleware::{DefaultHeaders, Next},
};

use super::api_error;

/// Allows no scripts, no frames, and nothing from other origins; forms may be submitted to this origin only.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every response, of the API as of the pages.
pub(super) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CACHE_CONTROL, "no-store"))
        .add(("cross-origin-opener-policy", "same-origin"))
        .add(("cross-origin-resource-policy", "same-origin"))
}

/// Rejects a request that a browser sent from another site, except a link to a page, and one for a name that is not this machine's.
pub(super) async fn require_own_site(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let is_loopback = request.app_config().local_addr().ip().is_loopback();
    let is_foreign = is_from_another_site(request.headers()) && !opens_page(request.headers(), request.method());
    let denied = if is_foreign {
        Some(api_error::cross_site())
    } else if is_loopback && is_rebound(&request) {
        Some(api_error::misdirected())
    } else {
        None
    };
    match denied {
        None => Ok(next.call(request).await?.map_into_left_body()),
        Some(denied) => Ok(request.into_response(denied).map_into_right_body()),
    }
}

fn is(headers: &HeaderMap, name: &str, expected: &[u8]) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes() == expected)
}

/// True for a request from a page of another site.
pub(super) fn is_from_another_site(headers: &HeaderMap) -> bool {
    is(headers, "sec-fetch-site", b"cross-site") || is(headers, "sec-fetch-site", b"same-site")
}

/// True for a request that opens a page in a window of its own.
fn opens_page(headers: &HeaderMap, method: &Method) -> bool {
    method.is_safe() && is(headers, "sec-fetch-mode", b"navigate") && is(headers, "sec-fetch-dest", b"document")
}

/// True for a request to a loopback listener under a name of a domain, as a page sends it that rebound its own name to this machine. Such
/// a page cannot add a bearer token that it does not know. Browsers send `Sec-Fetch-Site` over HTTPS and to this machine only, and no page
/// can set it, so its presence shows a proxy with a certificate.
fn is_rebound(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let has_bearer = headers.get(header::AUTHORIZATION).is_some_and(|value| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"bearer")
    });
    let mut hosts = headers.get_all(header::HOST).map(|value| value.to_str().unwrap_or("?"));
    let is_other = hosts.any(|host| !is_own_name(host)) || request.uri().host().is_some_and(|host| !is_own_name(host));
    is_other && !has_bearer && !headers.contains_key("sec-fetch-site")
}

/// True for an address or `localhost`, with or without a port.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_names_of_this_machine() {
        for own in [
            "localhost",
            "LOCALHOST:8081",
            "localhost.:8081",
            "waybill.localhost:1",
            "127.0.0.1",
            "127.0.0.1:8081",
            "[::1]:8081",
            "10.0.0.7:80",
        ] {
            assert!(is_own_name(own), "{own}");
        }
        for other in
            ["", "?", "example.com", "localhost.example.com", "127.0.0.1.example.com:8081", "notlocalhost", "[example.com]"]
        {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
