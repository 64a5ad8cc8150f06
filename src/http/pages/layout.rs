//! The frame of every page: navigation, search, and the banner shown while verification is off.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use strum::{EnumIter, IntoEnumIterator};

use super::queue::QueueView;
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
    Suppressions,
    Endpoints,
    Reference,
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
            Self::Suppressions => "/suppressions",
            Self::Endpoints => "/endpoints",
            Self::Reference => "/docs/",
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
            Self::Suppressions => "Suppressions",
            Self::Endpoints => "Endpoints",
            Self::Reference => "API",
        }
    }

    /// The page's path with these query parameters; empty ones are left out.
    pub(super) fn with_query(self, parameters: &[(&str, &str)]) -> String {
        let given = parameters.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
        if pairs.is_empty() { self.path().to_owned() } else { format!("{}?{}", self.path(), pairs.join("&")) }
    }
}

/// One of several links, of which one may be the current page.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) label: String,
    pub(super) is_current: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) title: String,
    pub(super) section: Option<Section>,
    pub(super) now: Timestamp,
    pub(super) may_write: bool,
    pub(super) is_unverified: bool,
    /// The queue in front of the database, if there is one.
    pub(super) queue: Option<QueueView>,
    /// The text in the search field.
    pub(super) search: String,
}

impl Layout {
    pub(super) fn navigation(&self) -> impl Iterator<Item = Link> {
        let current = self.section;
        Section::iter().map(move |section| Link {
            href: section.path().to_owned(),
            label: section.title().to_owned(),
            is_current: current == Some(section),
        })
    }

    pub(super) fn clock(&self) -> String {
        self.now.naive().format("%H:%M:%S UTC").to_string()
    }
}

/// Renders a page as a response.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Option<HttpResponse> {
    let html = page.render().ok()?;
    Some(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_percent_encoded() {
        let href = Section::Messages.with_query(&[("q", "+1 5&status=\"<#"), ("account", "")]);
        assert_eq!(href, "/messages?q=%2B1%205%26status%3D%22%3C%23");
        assert_eq!(Section::Messages.with_query(&[("q", "")]), "/messages");
    }
}
