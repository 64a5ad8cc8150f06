//! A request about to be signed and sent, for `demo`, `simulate` and the tests: the other side of every scheme.

use crate::{form, public_url::PublicUrl};

/// A request to the gateway. A scheme's `sign` adds what makes it genuine, wherever the scheme carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The gateway's public address, if it has one.
    pub public_url: Option<PublicUrl>,
    /// The method.
    pub method: String,
    /// The raw path and query.
    pub target: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The exact body.
    pub body: Vec<u8>,
    /// The id of the message, for schemes that sign one.
    pub id: String,
    /// The second of sending, for schemes that sign the time.
    pub seconds: i64,
}

impl Outgoing {
    /// The full public URL, with the query.
    pub fn url(&self) -> String {
        self.public_url.as_ref().map_or_else(|| self.target.clone(), |public| public.join(&self.target))
    }

    /// The raw query string, without the question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether its content type says that the body is a form.
    pub fn is_form(&self) -> bool {
        let is_form =
            |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.starts_with(form::MEDIA_TYPE);
        self.headers.iter().any(is_form)
    }

    /// Adds a header.
    pub fn header(&mut self, name: &str, value: String) {
        self.headers.push((name.to_owned(), value));
    }

    /// Adds a parameter to the query.
    pub fn query_parameter(&mut self, name: &str, value: &str) {
        let glue = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!(
            "{}{glue}{name}={}",
            self.target,
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
        );
    }
}
