//! A provider's error codes as data: `errors.toml` in its folder.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    event::DeliveryError,
    status::{ErrorCategory, Permanence},
    text,
};

/// The meaning of one code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The vendor's name of the error.
    pub message: String,
    /// What kind of trouble it is.
    pub category: ErrorCategory,
    /// Whether trying again can help.
    pub permanence: Permanence,
}

/// A provider's table of codes, read when it is first needed.
pub type LazyTable = LazyLock<ErrorTable>;

/// A provider's table of codes.
#[derive(Debug, Deserialize)]
pub struct ErrorTable(BTreeMap<String, Meaning>);

impl ErrorTable {
    /// Reads a table that is compiled in.
    ///
    /// # Panics
    /// If the table is not readable; a test reads every one.
    #[expect(clippy::expect_used, reason = "the text is compiled in, and a test reads every table")]
    pub fn parse(toml: &str) -> Self {
        toml::from_str(toml).expect("a compiled-in table of error codes")
    }

    /// The error behind a code, looked up under the first of `keys` that the table has. The code is kept as it came;
    /// one that is in no table is `unknown`.
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
