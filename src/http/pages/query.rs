//! The filters of a list as they stand in its address. A form sends what is left out as an empty text.

use serde::Deserialize;

use crate::{
    providers,
    store::{Cursor, RequestState},
};

/// Rows on a page.
pub(super) const LIMIT: i64 = 50;

/// The longest text that is looked for.
const MAX_TEXT: usize = 255;

/// Every filter of every list.
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
    /// Without blanks around; `None` if one of them can be nothing that is stored.
    pub(super) fn tidy(self) -> Option<Self> {
        let Self { q, by, provider, account, status, state, cursor } = self;
        let texts = [q, by, provider, account, status, state, cursor].map(|text| text.trim().to_owned());
        // No stored text holds a NUL, and Postgres refuses to be asked for one.
        let fit = texts.iter().all(|text| text.len() <= MAX_TEXT && !text.contains('\0'));
        let [q, by, provider, account, status, state, cursor] = texts;
        fit.then_some(Self { q, by, provider, account, status, state, cursor })
    }

    /// The provider's name; `Err` if there is no such provider.
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
        one(&self.status)
    }

    pub(super) fn state(&self) -> Result<Option<RequestState>, ()> {
        one(&self.state)
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, ()> {
        one(&self.cursor)
    }
}

/// What the text names, if it is not empty.
fn one<T: std::str::FromStr>(text: &str) -> Result<Option<T>, ()> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| ()) }
}
