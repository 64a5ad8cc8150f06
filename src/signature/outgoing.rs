//! Requests as a provider sends and signs them, for `demo`, `simulate` and the tests: the counterpart of verification.

use super::Scheme;
use crate::{form, public_url::PublicUrl};

/// Signs requests as a provider does, with keys of its own.
pub trait Signer: Send + Sync {
    /// Adds what the scheme verifies, wherever it carries it. Without a key for the scheme the request stays unsigned.
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing);
}

/// A request to the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The gateway's public address, if it has one.
    pub public_url: Option<PublicUrl>,
    pub method: String,
    /// The raw path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
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

    /// Returns true if the body is declared to be a form.
    pub fn is_form(&self) -> bool {
        let is_form =
            |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.starts_with(form::MEDIA_TYPE);
        self.headers.iter().any(is_form)
    }

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

crate::secret::opaque!(Outgoing);
