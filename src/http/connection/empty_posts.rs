//! HTTP/1.0 POST requests without a body.
//!
//! Without `Content-Length` or `Transfer-Encoding` a request has no body (RFC 9112, section 6.3), in HTTP/1.0 as well; a proxy that speaks
//! HTTP/1.0 to the gateway, as nginx does by default, forwards a provider's empty probe like this. actix-http 3.20.0 refuses it
//! (`src/h1/decoder.rs`), so the declaration is added to such a head before it is parsed.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// The line that is added to a head.
const DECLARATION: &[u8] = b"content-length: 0\r\n";

/// The most bytes by which what is handed on exceeds what was read.
pub(super) const ADDED: usize = DECLARATION.len() + 2;

/// A head of a POST that arrives in pieces, and may be one of HTTP/1.0.
#[derive(Default)]
pub(super) struct EmptyPosts(Option<Head>);

struct Head {
    bytes: Vec<u8>,
    /// The number of bytes that were handed on.
    passed: usize,
}

impl EmptyPosts {
    /// The bytes to hand on after some were read; `is_start` at the start of a head. They are empty if all are held back.
    pub(super) fn pass<'b>(&mut self, read: &'b [u8], is_start: bool) -> Cow<'b, [u8]> {
        if is_start {
            self.0 = None;
            match Kind::of(read) {
                Kind::Other => return Cow::Borrowed(read),
                Kind::Complete { end } => return completed(read, end),
                Kind::Incomplete => self.0 = Some(Head { bytes: Vec::new(), passed: 0 }),
            }
        }
        let Some(head) = &mut self.0 else { return Cow::Borrowed(read) };
        head.bytes.extend_from_slice(read);
        let (kind, passed) = (Kind::of(&head.bytes), head.passed);
        let rest = |bytes: &[u8]| bytes.get(passed..).unwrap_or_default().to_vec();
        if let (Kind::Incomplete, false) = (&kind, read.is_empty()) {
            // The declaration is inserted before the line that ends the head, which may have begun.
            let line_ends = [&b"\n\r"[..], b"\n"].into_iter();
            let kept = line_ends.filter(|end| head.bytes.ends_with(end)).map(<[u8]>::len).max().unwrap_or(0);
            head.passed = (head.bytes.len() - kept).max(passed);
            return Cow::Owned(head.bytes.get(passed..head.passed).unwrap_or_default().to_vec());
        }
        let bytes = self.0.take().map(|head| head.bytes).unwrap_or_default();
        Cow::Owned(match kind {
            Kind::Complete { end } => rest(&completed(&bytes, end)),
            Kind::Incomplete | Kind::Other => rest(&bytes),
        })
    }
}

enum Kind {
    /// No POST, or not HTTP/1.0.
    Other,
    /// A POST of which the version or the end of its head is still to come.
    Incomplete,
    /// A POST of HTTP/1.0, whose head ends there.
    Complete { end: usize },
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        const METHOD: &[u8] = b"POST ";
        if !head.starts_with(METHOD) && !METHOD.starts_with(head) {
            return Self::Other;
        }
        let Some(line) = memchr(b'\n', head).and_then(|end| head.get(..end)) else { return Self::Incomplete };
        if !line.trim_ascii_end().ends_with(b" HTTP/1.0") {
            return Self::Other;
        }
        end_of(head).map_or(Self::Incomplete, |end| Self::Complete { end })
    }
}

/// The end of a head, after its empty line.
fn end_of(head: &[u8]) -> Option<usize> {
    let end_with = |end: &[u8]| memmem::find(head, end).map(|at| at + end.len());
    [end_with(b"\n\r\n"), end_with(b"\n\n")].into_iter().flatten().min()
}

/// A head with its declaration, unless it has one, or is followed by a body. The server refuses a body of unknown length.
fn completed(head: &[u8], end: usize) -> Cow<'_, [u8]> {
    let declares = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        [&b"content-length"[..], b"transfer-encoding"].into_iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if end != head.len() || head.split(|byte| *byte == b'\n').any(declares) {
        return Cow::Borrowed(head);
    }
    let last_line = if head.ends_with(b"\r\n") { 2 } else { 1 };
    let (before, last_line) = head.split_at(head.len() - last_line);
    Cow::Owned([before, DECLARATION, last_line].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that are handed on if a head arrives in pieces of that size.
    fn passed(request: &str, size: usize) -> String {
        let (mut posts, mut passed) = (EmptyPosts::default(), Vec::new());
        for (number, piece) in request.as_bytes().chunks(size).enumerate() {
            let handed_on = posts.pass(piece, number == 0);
            assert!(handed_on.len() <= piece.len() + ADDED);
            passed.extend_from_slice(&handed_on);
        }
        passed.extend_from_slice(&posts.pass(b"", false));
        String::from_utf8(passed).expect("UTF-8")
    }

    #[test]
    fn empty_post_of_http_1_0_gets_a_length() {
        for (head, end) in [
            ("POST /x HTTP/1.0\r\n", "\r\n"),
            ("POST /x HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n", "\r\n"),
            ("POST /x HTTP/1.0\nHost: h\n", "\n"),
            ("POST /x HTTP/1.0\r\nX-Content-Length: 3\r\nX: content-length\r\n", "\r\n"),
        ] {
            for size in [1, 2, 3, 7, 1_000] {
                assert_eq!(passed(&format!("{head}{end}"), size), format!("{head}content-length: 0\r\n{end}"), "{head} {size}");
            }
        }
    }

    #[test]
    fn other_requests_are_unchanged() {
        for request in [
            "",
            "\n",
            "PO",
            "POST /x HTTP/1.0",
            "POST /x HTTP/1.0\r\nHost: h\r\n",
            "POST /x HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST /x HTTP/1.1\r\n\r\nPOST /x HTTP/1.0\r\n\r\n",
            "GET /x HTTP/1.0\r\n\r\n",
            "PUT /x HTTP/1.0\r\n\r\n",
            "POST /x HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc",
            "POST /x HTTP/1.0\r\nContent-Length : 0\r\n\r\n",
            "POST /x HTTP/1.0\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
        ] {
            for size in [1, 2, 3, 7, 1_000] {
                assert_eq!(passed(request, size), request, "{size}");
            }
        }
        // The end of this body is not known.
        let with_body = "POST /x HTTP/1.0\r\n\r\nabc";
        assert_eq!(passed(with_body, 1_000), with_body);
    }
}
