//! Findings about variables, collected instead of stopping at the first.

use std::fmt;

/// A finding about one variable. Never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Finding {
    pub variable: String,
    /// The expected value, or what is unusual about the given one.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.sentence)
    }
}

/// The findings about an environment.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// With one of these the gateway does not start.
    pub problems: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

impl Findings {
    pub fn problem(&mut self, variable: &str, sentence: &str) {
        self.problems.push(Finding { variable: variable.to_owned(), sentence: sentence.to_owned() });
    }

    pub fn warning(&mut self, variable: &str, sentence: &str) {
        self.warnings.push(Finding { variable: variable.to_owned(), sentence: sentence.to_owned() });
    }
}
