//! What stands around every page: navigation, search, and the warning that nothing is verified.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use strum::{EnumIter, IntoEnumIterator};

use crate::time::Timestamp;

/// The pages of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
pub(super) enum Section {
    Overview,
    Messages,
    Requests,
    Inbound,
    Calls,
    Rooms,
    Endpoints,
}

impl Section {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Messages => "/messages",
            Self::Requests => "/requests",
            Self::Inbound => "/inbound",
            Self::Calls => "/calls",
            Self::Rooms => "/rooms",
            Self::Endpoints => "/endpoints",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Messages => "Messages",
            Self::Requests => "Requests",
            Self::Inbound => "Inbound",
            Self::Calls => "Calls",
            Self::Rooms => "Rooms",
            Self::Endpoints => "Endpoints",
        }
    }

    /// Its page with these parameters; empty ones are left out.
    pub(super) fn with(self, parameters: &[(&str, &str)]) -> String {
        let given = parameters.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
        if pairs.is_empty() { self.path().to_owned() } else { format!("{}?{}", self.path(), pairs.join("&")) }
    }
}

/// One of several choices, the navigation's included.
pub(super) struct Choice {
    pub(super) path: String,
    pub(super) title: String,
    pub(super) is_here: bool,
}

/// The frame of one page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) section: Option<Section>,
    pub(super) now: Timestamp,
    pub(super) may_write: bool,
    pub(super) is_unverified: bool,
    /// What was searched for.
    pub(super) sought: String,
}

impl Frame {
    pub(super) fn pages(&self) -> impl Iterator<Item = Choice> {
        let here = self.section;
        Section::iter().map(move |section| Choice {
            path: section.path().to_owned(),
            title: section.title().to_owned(),
            is_here: here == Some(section),
        })
    }

    pub(super) fn clock(&self) -> String {
        self.now.naive().format("%H:%M:%S UTC").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_link_cannot_end_it() {
        let link = Section::Messages.with(&[("q", "+1 5&status=\"<#"), ("account", "")]);
        assert_eq!(link, "/messages?q=%2B1%205%26status%3D%22%3C%23");
        assert_eq!(Section::Messages.with(&[("q", "")]), "/messages");
    }
}
