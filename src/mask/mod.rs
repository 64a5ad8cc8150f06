//! Masks secrets and signatures in what is stored or shown of a request: a reader who could copy a proof could send the request.
//!
//! A proof is recognized by its place (a token at the end of the path, credentials before a host) and by its name. Only names that are
//! known to hold none are shown among the headers.

mod body;
mod names;

use serde_json::{Map, Value};

pub use self::body::body;
use self::names::{is_jwt, is_own_credential, is_secret};
use crate::{form::Form, url_token};

/// Takes the place of a masked value.
pub const MASK: &str = "***";

/// A tail of a path that is as long as a URL token may be one.
const MIN_TOKEN: usize = 32;

/// The path and query of a request as they are shown.
pub fn url(target: &str) -> String {
    let is_token = |tail: &str| tail.len() >= MIN_TOKEN && !tail.contains('/');
    masked(&without_userinfo(target), is_token, is_secret)
}

/// The path and query as they are stored with a verified callback, from which its events can be parsed again.
pub(crate) fn stored_url(target: &str, has_token: bool) -> String {
    masked(target, |_| has_token, is_secret)
}

/// The path and query as they are stored with a rejected request. Its signature may cover all other parameters, so they are stored as
/// received, and masked when they are shown.
pub(crate) fn signed_url(target: &str, has_token: bool) -> String {
    masked(target, |_| has_token, is_own_credential)
}

/// Masks the values of all headers, except those that are shown.
pub(crate) fn headers(headers: &mut Map<String, Value>, is_shown: impl Fn(&str) -> bool) {
    headers.iter_mut().filter(|(name, _)| !is_shown(name)).for_each(|(_, value)| *value = MASK.into());
}

fn masked(target: &str, is_token: impl Fn(&str) -> bool, is_secret: impl Fn(&[u8]) -> bool) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = match path.rsplit_once(url_token::SEGMENT) {
        Some((before, tail)) if is_token(tail) => format!("{before}{}{MASK}", url_token::SEGMENT),
        _ => path.to_owned(),
    };
    let Some(query) = query else { return path };
    let pairs: Vec<String> = query.split('&').map(|pair| masked_pair(pair, &is_secret)).collect();
    format!("{path}?{}", pairs.join("&"))
}

/// A pair of a query. The name is decoded, because it may be percent-encoded.
fn masked_pair(pair: &str, is_secret: impl Fn(&[u8]) -> bool) -> String {
    let Some((name, _)) = pair.split_once('=') else { return if is_jwt(pair.as_bytes()) { MASK } else { pair }.to_owned() };
    let is_masked = Form::decode(pair.as_bytes())
        .is_some_and(|decoded| decoded.pairs().any(|(name, value)| is_secret(name) || is_jwt(value) || has_userinfo(value)));
    if is_masked { format!("{name}={MASK}") } else { pair.to_owned() }
}

/// True for a URL with credentials before its host.
fn has_userinfo(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.split_once("://").is_some_and(|(_, rest)| authority(rest).contains('@'))
}

fn without_userinfo(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if authority(rest).contains('@') => {
            let (_, host) = rest.split_once('@').unwrap_or(("", rest));
            format!("{scheme}://{MASK}@{host}")
        }
        _ => url.to_owned(),
    }
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_in_a_url_are_masked_by_place_and_by_name() {
        let token = "0123456789abcdef0123456789abcdef";
        for (target, shown) in [
            (format!("/webhooks/vonage/t/{token}"), "/webhooks/vonage/t/***"),
            (format!("/webhooks/vonage/t/{token}?a=1"), "/webhooks/vonage/t/***?a=1"),
            ("/t/short?message_id=7&client-ref=x".to_owned(), "/t/short?message_id=7&client-ref=x"),
            ("/x?sig=ab&api-key=9f3a11c2&nonce=1".to_owned(), "/x?sig=***&api-key=9f3a11c2&nonce=1"),
            (
                "/x?a=1&API_KEY=k&apikey=k&Pass=p&%73ig=s&s%69g=s&=v&key=k".to_owned(),
                "/x?a=1&API_KEY=***&apikey=***&Pass=***&%73ig=***&s%69g=***&=v&key=***",
            ),
            (
                "/x?accessToken=a&client_secret=b&x-signature=c&keyword=d".to_owned(),
                "/x?accessToken=***&client_secret=***&x-signature=***&keyword=d",
            ),
            ("/x?next=https://u:p@h/&to=https%3A%2F%2Fu:p%40h&q=a@b".to_owned(), "/x?next=***&to=***&q=a@b"),
            ("/x?j=eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2ln&eyJhbGciOiJIUzI1NiJ9.e30.c2ln".to_owned(), "/x?j=***&***"),
            ("https://user:password@host/x?y=1".to_owned(), "https://***@host/x?y=1"),
        ] {
            assert_eq!(url(&target), shown);
        }
    }

    #[test]
    fn parameters_that_a_signature_covers_are_stored_with_a_rejected_request() {
        assert_eq!(signed_url("/x?sig=ab&key=1&Secret=s&t%6Fken=t", false), "/x?sig=ab&key=1&Secret=***&t%6Fken=***");
        assert_eq!(signed_url("/x/t/abc?sig=ab", true), "/x/t/***?sig=ab");
        assert_eq!(stored_url("/x/t/abc?sig=ab&message_id=7", true), "/x/t/***?sig=***&message_id=7");
    }
}
