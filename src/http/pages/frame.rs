//! What stands around every page: navigation, search, and the warning that nothing is verified.

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
}

/// A link of the navigation, or one of several choices.
pub(super) struct Link {
    pub(super) path: String,
    pub(super) title: &'static str,
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
    fn links(&self) -> impl Iterator<Item = Link> {
        let here = self.section;
        Section::iter().map(move |section| Link {
            path: section.path().to_owned(),
            title: section.title(),
            is_here: here == Some(section),
        })
    }

    fn clock(&self) -> String {
        self.now.naive().format("%H:%M:%S UTC").to_string()
    }
}
