//! The spellings of a path and query that providers sign, and their canonical form.

use std::{borrow::Cow, iter};

use memchr::memchr2;

/// The spellings of a path and query, made lazily. No two are equal: each differs from those before it in its quotes, or in the number
/// of its `@` and `:`.
pub(super) fn spellings(target: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let others: [fn(&str) -> Option<String>; 5] = [
        |target| replaced(target, "'", "%27"),
        |target| replaced(target, "%27", "'"),
        unescaped,
        |target| replaced(&unescaped(target)?, "'", "%27"),
        |target| replaced(&unescaped(target)?, "%27", "'"),
    ];
    let others = others.into_iter().filter_map(|spelling| spelling(target).map(Cow::Owned));
    iter::once(Cow::Borrowed(target)).chain(others)
}

/// The text with another spelling of a character, if it contains the character.
fn replaced(text: &str, from: &str, to: &str) -> Option<String> {
    text.contains(from).then(|| text.replace(from, to))
}

/// Twilio has signed `@` and `:` of a query unescaped though it sent them escaped (twilio-node PR 621).
fn unescaped(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let unescaped = query.replace("%40", "@").replace("%3A", ":").replace("%3a", ":");
    (unescaped != query).then(|| format!("{path}?{unescaped}"))
}

/// Feeds the canonical form of all spellings that [`super::find_spelling`] tries, in slices. It is applied to everything that
/// was signed, because a part of the query may have been moved into the form, or the other way round.
pub fn fold_spelling(signed: &[u8], mut feed: impl FnMut(&[u8])) {
    let mut rest = signed;
    while let Some(at) = memchr2(b'\'', b'%', rest) {
        let (plain, escape) = rest.split_at(at);
        let (spelling, length): (&[u8], usize) = match escape {
            [b'\'', ..] => (b"%27", 1),
            [b'%', b'4', b'0', ..] => (b"@", 3),
            [b'%', b'3', b'A' | b'a', ..] => (b":", 3),
            _ => (b"%", 1),
        };
        feed(plain);
        feed(spelling);
        rest = escape.get(length..).unwrap_or_default();
    }
    feed(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_url::{MAX_SPELLINGS, PublicUrl, find_spelling};

    fn public(text: &str) -> PublicUrl {
        text.parse().expect(text)
    }

    fn all_spellings(url: &PublicUrl, target: &str) -> Vec<String> {
        let mut spellings: Vec<String> = Vec::new();
        let none: Option<()> = find_spelling(std::slice::from_ref(url), target, |origin, target| {
            spellings.push(format!("{origin}{target}"));
            None
        });
        assert_eq!(none, None);
        spellings
    }

    fn folded(signed: &[u8]) -> Vec<u8> {
        let mut folded = Vec::new();
        fold_spelling(signed, |part| folded.extend_from_slice(part));
        folded
    }

    #[test]
    fn spellings_begin_with_the_configured_one_and_share_host_and_path() {
        let spellings = all_spellings(&public("https://u:p@example.com:8443/in"), "/webhooks/twilio?a=it%27s");
        assert_eq!(spellings.first().map(String::as_str), Some("https://u:p@example.com:8443/in/webhooks/twilio?a=it%27s"));
        assert!(spellings.iter().all(|url| url.contains("example.com") && url.contains("/in/webhooks/twilio?a=it")));
        assert!(spellings.len() <= MAX_SPELLINGS, "the work per request is bounded");
        assert_eq!(folded(b"/x?a=it%27s%40%3A%3a%4"), folded(b"/x?a=it's@::%4"));
    }

    #[test]
    fn configured_spellings_of_all_urls_are_tried_first() {
        let mut tried: Vec<String> = Vec::new();
        let urls = [public("https://a.example"), public("https://b.example:8443")];
        let _: Option<()> = find_spelling(&urls, "/x?a='", |origin, target| {
            tried.push(format!("{origin}{target}"));
            None
        });
        assert_eq!(tried.len(), 10);
        assert_eq!(&tried[..2], ["https://a.example/x?a='", "https://b.example:8443/x?a='"]);
        assert_eq!(&tried[5..6], ["https://a.example/x?a=%27"]);
    }

    #[test]
    fn spellings_are_distinct_and_in_order() {
        for url in ["https://u:p@example.com:8443/in", "https://example.com", "http://u@Example.com.:80", "https://[::1]:443/a"] {
            for target in ["/x", "/x?a=1", "/it's?b=%27", "/x?a=%40", "/x?a=%3A%3a&b='", "/%40?a=%27%40'", "/x?%4%3A0=%%40"] {
                let url = public(url);
                let quotes = |target: &str| [target.to_owned(), target.replace('\'', "%27"), target.replace("%27", "'")];
                let unescaped = unescaped(target).unwrap_or_else(|| target.to_owned());
                let mut expected: Vec<String> = Vec::new();
                for target in [quotes(target), quotes(&unescaped)].concat() {
                    for (host, userinfo) in url.host.spellings().flat_map(|host| [(host, url.userinfo.as_deref()), (host, None)])
                    {
                        for port in [url.port, None, Some(if url.scheme == "https" { 443 } else { 80 })] {
                            let spelling = url.spell(host, userinfo, port, &target);
                            if !expected.contains(&spelling) {
                                expected.push(spelling);
                            }
                        }
                    }
                }
                assert_eq!(all_spellings(&url, target), expected);
                assert!(expected.len() <= MAX_SPELLINGS);
            }
        }
    }
}
