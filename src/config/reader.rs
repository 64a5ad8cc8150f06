//! Reads variables and collects what is wrong with them instead of stopping at the first.

use std::{fmt::Display, str::FromStr};

use super::{Env, Finding, variables::Variable};
use crate::secret::Secret;

pub(super) struct Reader<'e> {
    pub(super) env: &'e Env,
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(env: &'e Env) -> Self {
        Self { env, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn finish(self) -> (Vec<Finding>, Vec<Finding>) {
        (self.problems, self.warnings)
    }

    pub(super) fn problem(&mut self, variable: &str, expected: &str) {
        self.problems.push(Finding { variable: variable.to_owned(), sentence: expected.to_owned() });
    }

    pub(super) fn warning(&mut self, variable: &str, sentence: &str) {
        self.warnings.push(Finding { variable: variable.to_owned(), sentence: sentence.to_owned() });
    }

    /// The value, or the default that the variable documents. A value that cannot be read is a problem, and the default stands in.
    pub(super) fn parsed<T: FromStr>(&mut self, variable: &Variable, expected: &str) -> T {
        let value = self.env.get(variable.name).and_then(|given| {
            let parsed = given.parse().ok();
            if parsed.is_none() {
                self.problem(variable.name, &format!("expected {expected}"));
            }
            parsed
        });
        value.unwrap_or_else(|| default_of(variable))
    }

    /// The value in lower case, if it is one of the words.
    pub(super) fn one_of(&mut self, variable: &Variable, words: &[&str]) -> String {
        let given = self.env.get(variable.name).unwrap_or(variable.default).to_ascii_lowercase();
        if words.contains(&given.as_str()) {
            return given;
        }
        self.problem(variable.name, &format!("expected one of {}", words.join(", ")));
        variable.default.to_ascii_lowercase()
    }

    /// A comma list.
    pub(super) fn list<T: FromStr>(&mut self, variable: &Variable, expected: &str) -> Vec<T> {
        let given = self.env.get(variable.name).unwrap_or(variable.default);
        let items: Vec<Option<T>> = items(given).map(|item| item.parse().ok()).collect();
        if items.iter().any(Option::is_none) {
            self.problem(variable.name, &format!("expected {expected}"));
        }
        items.into_iter().flatten().collect()
    }

    /// A secret that may be unset, but neither blank nor a placeholder.
    pub(super) fn secret(&mut self, variable: &Variable) -> Option<Secret> {
        if !self.env.is_set(variable.name) {
            return None;
        }
        let given = self.env.get(variable.name).unwrap_or_default();
        if is_placeholder(given) {
            self.problem(variable.name, REAL_SECRET);
        }
        Some(Secret::new(given))
    }
}

pub(super) const REAL_SECRET: &str = "expected a real secret without quotes; this is empty, blank or a placeholder";

/// Shorter than any provider's; told, because it can be guessed.
pub(super) const SHORT_SECRET: usize = 16;

/// The parts of a comma list.
pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Whether a value was obviously never filled in.
pub(super) fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 14] = [
        "changeme",
        "change-me",
        "change_me",
        "replace_me",
        "secret",
        "password",
        "token",
        "todo",
        "placeholder",
        "none",
        "null",
        "test",
        "example",
        "undefined",
    ];
    const STARTS: [&str; 6] = ["your_", "your-", "insert-", "insert_", "${", "<"];
    // Quotes are kept by tools that read an environment file without a shell.
    const BRACKETS: [(&str, &str); 3] = [("[", "]"), ("\"", "\""), ("'", "'")];
    let lower = value.trim().to_ascii_lowercase();
    let is_one_character = lower.chars().all(|c| lower.starts_with(c));
    let is_bracketed = BRACKETS.iter().any(|(open, close)| lower.starts_with(open) && lower.ends_with(close));
    let starts_so = STARTS.iter().any(|start| lower.starts_with(start));
    is_one_character || is_bracketed || starts_so || WORDS.contains(&lower.as_str())
}

#[expect(clippy::panic, reason = "the defaults are compiled in, and every load reads them")]
fn default_of<T: FromStr>(variable: &Variable) -> T {
    let Variable { name, default, .. } = variable;
    default.parse().unwrap_or_else(|_| panic!("the default of {name} is not readable: {}", default as &dyn Display))
}
