//! Credentials of a request to the ops listener: a bearer token, or the password of HTTP Basic.

use actix_web::http::header::{self, HeaderMap};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Browsers attach a password to requests from any site, so a password alone may not change anything.
pub(super) struct Credentials {
    pub(super) token: Vec<u8>,
    pub(super) is_password: bool,
}

/// Parses the `Authorization` header; `None` unless there is exactly one.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let space = value.as_bytes().iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.as_bytes().split_at_checked(space)?;
    let rest = rest.get(1..)?;
    if scheme.eq_ignore_ascii_case(b"Bearer") {
        return Some(Credentials { token: rest.to_vec(), is_password: false });
    }
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Credentials { token: pair.get(colon + 1..)?.to_vec(), is_password: true })
}
