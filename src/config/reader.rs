//! Parses variables and collects findings instead of stopping at the first.

use std::{fmt::Display, str::FromStr};

use super::variables::Variable;
use crate::{
    env::{
        Env, Findings,
        values::{SECRET_EXPECTED, WEAK_SECRET, is_placeholder, is_weak, items},
    },
    secret::Secret,
};

pub(super) struct Reader<'e> {
    pub(super) env: &'e Env,
    pub(super) findings: Findings,
}

impl<'e> Reader<'e> {
    pub(super) fn new(env: &'e Env) -> Self {
        Self { env, findings: Findings::default() }
    }

    pub(super) fn problem(&mut self, variable: &str, expected: &str) {
        self.findings.problem(variable, expected);
    }

    pub(super) fn warning(&mut self, variable: &str, sentence: &str) {
        self.findings.warning(variable, sentence);
    }

    /// The parsed value, or the documented default. A value that cannot be parsed is a problem, and the default takes its place.
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

    /// The value in lower case; one of `words`.
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
            self.problem(variable.name, SECRET_EXPECTED);
        } else if is_weak(given) {
            self.problem(variable.name, WEAK_SECRET);
        }
        Some(Secret::new(given))
    }
}

#[expect(clippy::panic, reason = "the defaults are compiled in, and every load reads them")]
fn default_of<T: FromStr>(variable: &Variable) -> T {
    let Variable { name, default, .. } = variable;
    default.parse().unwrap_or_else(|_| panic!("the default of {name} cannot be parsed: {}", default as &dyn Display))
}
