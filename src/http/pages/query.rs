//! The filters of a list, as in the query of its URL. A form submits an unset filter as an empty value.

use serde::Deserialize;

use crate::{
    providers,
    store::{Cursor, RequestState},
};

/// Rows on a page.
pub(super) const LIMIT: i64 = 50;

/// Longest text to search for, in bytes: a notation of an address.
const MAX_TEXT: usize = 998;

/// The filters of all lists.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filters {
    pub(super) q: String,
    pub(super) by: String,
    pub(super) provider: String,
    pub(super) account: String,
    pub(super) status: String,
    pub(super) state: String,
    pub(super) cursor: String,
}

impl Filters {
    /// The filters without surrounding blanks; `None` if one of them cannot match anything stored.
    pub(super) fn validated(self) -> Option<Self> {
        let Self { q, by, provider, account, status, state, cursor } = self;
        let texts = [q, by, provider, account, status, state, cursor].map(|text| text.trim().to_owned());
        // No stored text contains NUL, and Postgres rejects a query with one.
        let is_valid = texts.iter().all(|text| text.len() <= MAX_TEXT && !text.contains('\0'));
        let [q, by, provider, account, status, state, cursor] = texts;
        is_valid.then_some(Self { q, by, provider, account, status, state, cursor })
    }

    /// The provider's name; `Err` if it is unknown.
    pub(super) fn service_type(&self) -> Result<Option<&'static str>, ()> {
        if self.provider.is_empty() {
            return Ok(None);
        }
        providers::find(&self.provider).map(|spec| Some(spec.name)).ok_or(())
    }

    pub(super) fn account(&self) -> Option<String> {
        Some(self.account.clone()).filter(|account| !account.is_empty())
    }

    pub(super) fn status<S: std::str::FromStr>(&self) -> Result<Option<S>, ()> {
        parse_optional(&self.status)
    }

    pub(super) fn state(&self) -> Result<Option<RequestState>, ()> {
        parse_optional(&self.state)
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, ()> {
        parse_optional(&self.cursor)
    }
}

fn parse_optional<T: std::str::FromStr>(text: &str) -> Result<Option<T>, ()> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| ()) }
}
