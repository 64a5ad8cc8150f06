//! The filter form of a list.

use super::{layout::Section, query::Filters};
use crate::providers;

/// A field beside provider, account and range of time, which every list has.
pub(super) struct Field {
    pub(super) label: &'static str,
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) control: Control,
}

pub(super) enum Control {
    /// A phone number or address.
    Search,
    /// A choice of words; the label of a word has blanks for its underscores.
    Words(Vec<&'static str>),
}

pub(super) struct FilterForm {
    pub(super) action: &'static str,
    pub(super) fields: Vec<Field>,
    /// Fields of other controls, which the form keeps.
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) filters: Filters,
}

impl FilterForm {
    pub(super) fn new(section: Section, fields: Vec<Field>, filters: Filters) -> Self {
        Self { action: section.path(), fields, hidden: Vec::new(), filters }
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    pub(super) fn providers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::ALL.iter().map(|spec| (spec.name, spec.title))
    }
}

impl Field {
    pub(super) fn search(label: &'static str, value: &str) -> Self {
        Self { label, name: "q", value: value.to_owned(), control: Control::Search }
    }

    pub(super) fn words(label: &'static str, name: &'static str, value: &str, words: Vec<&'static str>) -> Self {
        Self { label, name, value: value.to_owned(), control: Control::Words(words) }
    }
}
