//! The filters of a list, as in the query of its URL. A form submits an unset filter as an empty value.

use serde::Deserialize;

use super::layout::Section;
use crate::{
    providers,
    status::Channel,
    store::{Cursor, SuppressionReason},
    time::Timestamp,
};

/// Rows on a page.
pub(super) const LIMIT: i64 = 50;

/// Longest text to search for, in bytes: a notation of an address.
const MAX_TEXT: usize = 998;

/// Declares the filters, their validation, and the query that repeats them.
macro_rules! filters {
    ($($name:ident),+) => {
        /// The filters of all lists.
        #[derive(Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct Filters {
            $(pub(super) $name: String,)+
        }

        impl Filters {
            fn trimmed(self) -> Self {
                Self { $($name: self.$name.trim().to_owned(),)+ }
            }

            fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$((stringify!($name), self.$name.as_str()),)+].into_iter()
            }
        }
    };
}

filters!(q, by, provider, account, status, state, channel, reason, since, until, cursor);

impl Filters {
    /// The filters without surrounding blanks, and with absolute times; `None` if one of them cannot match anything stored.
    pub(super) fn validated(self, now: Timestamp) -> Option<Self> {
        let filters = self.trimmed();
        // No stored text contains NUL, and Postgres rejects a query with one.
        let is_valid = filters.texts().all(|(_, text)| text.len() <= MAX_TEXT && !text.contains('\0'));
        // Whole seconds, unless more is given: a field for a time takes no more than milliseconds.
        let rounded = || Timestamp::from_seconds(now.seconds()).unwrap_or(now);
        let absolute = |text: &str| match text {
            "" => Some(String::new()),
            text => Timestamp::parse_or_ago(text, rounded()).map(|at| at.to_string()),
        };
        let (since, until) = (absolute(&filters.since)?, absolute(&filters.until)?);
        is_valid.then_some(Self { since, until, ..filters })
    }

    /// The link to a page of the list with these filters.
    pub(super) fn href(&self, section: Section, cursor: &str) -> String {
        let current: Vec<(&str, &str)> = self.texts().filter(|(name, _)| *name != "cursor").collect();
        section.with_query(&[&current[..], &[("cursor", cursor)]].concat())
    }

    /// Returns true if any filter is set.
    pub(super) fn is_any_set(&self) -> bool {
        self.texts().any(|(name, text)| !["cursor", "by", "state"].contains(&name) && !text.is_empty())
    }

    /// Start and end of the range of time.
    pub(super) fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (Timestamp::parse(&self.since), Timestamp::parse(&self.until))
    }

    /// The value of a field for a local time, which has no zone.
    pub(super) fn local_since(&self) -> &str {
        self.since.trim_end_matches('Z')
    }

    pub(super) fn local_until(&self) -> &str {
        self.until.trim_end_matches('Z')
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

    /// The number or address to search for, in any notation.
    pub(super) fn address(&self) -> Option<String> {
        Some(self.q.clone()).filter(|text| !text.is_empty())
    }

    pub(super) fn status<S: std::str::FromStr>(&self) -> Result<Option<S>, ()> {
        parse_optional(&self.status)
    }

    pub(super) fn state<S: std::str::FromStr>(&self) -> Result<Option<S>, ()> {
        parse_optional(&self.state)
    }

    pub(super) fn channel(&self) -> Result<Option<Channel>, ()> {
        parse_optional(&self.channel)
    }

    pub(super) fn reason(&self) -> Result<Option<SuppressionReason>, ()> {
        parse_optional(&self.reason)
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>, ()> {
        parse_optional(&self.cursor)
    }
}

fn parse_optional<T: std::str::FromStr>(text: &str) -> Result<Option<T>, ()> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| ()) }
}
