//! A provider's error codes as data: `errors.toml` in its folder.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    event::DeliveryError,
    status::{ErrorCategory, Permanence},
    text,
};

/// The meaning of an error code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The vendor's name of the error.
    pub message: String,
    pub category: ErrorCategory,
    pub permanence: Permanence,
}

/// A provider's table of codes, parsed on first use.
pub type LazyTable = LazyLock<ErrorTable>;

/// A provider's table of codes.
#[derive(Debug, Deserialize)]
pub struct ErrorTable(BTreeMap<String, Meaning>);

impl ErrorTable {
    /// Parses a table that is compiled in.
    ///
    /// # Panics
    /// If the table cannot be parsed; a test parses every one.
    #[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses every table")]
    pub fn parse(toml: &str) -> Self {
        toml::from_str(toml).expect("a compiled-in table of error codes")
    }

    /// The error for a code, looked up by the first of `keys` that is in the table. The code itself is not changed; one that is in no table
    /// is `unknown`.
    pub fn explain(&self, code: Option<&str>, keys: &[&str], provider_text: Option<&str>) -> DeliveryError {
        let meaning = keys.iter().find_map(|key| self.0.get(*key));
        let message = provider_text.and_then(text::present).or_else(|| meaning.map(|meaning| meaning.message.clone()));
        DeliveryError {
            code: code.and_then(text::present),
            message,
            diagnostic: None,
            category: meaning.map_or(ErrorCategory::Unknown, |meaning| meaning.category),
            permanence: meaning.map_or(Permanence::Unknown, |meaning| meaning.permanence),
        }
    }
}
