//! The settings of one account at one provider, as a provider's `connect` sees them.

use std::collections::BTreeMap;

use super::reader::{REAL_SECRET, Reader, SHORT_SECRET, is_placeholder, items};
use crate::{
    provider::{Provider, Spec},
    secret::Secret,
    signature::Scheme,
};

/// The settings of one account. What is wrong with them is collected, not returned.
pub struct Settings<'s, 'e> {
    spec: &'static Spec,
    /// Setting → the variable it came from and its value.
    given: &'s BTreeMap<String, (String, String)>,
    is_unverified: bool,
    reader: &'s mut Reader<'e>,
}

impl<'s, 'e> Settings<'s, 'e> {
    pub(super) fn new(
        spec: &'static Spec,
        given: &'s BTreeMap<String, (String, String)>,
        is_unverified: bool,
        reader: &'s mut Reader<'e>,
    ) -> Self {
        Self { spec, given, is_unverified, reader }
    }

    /// The provider, if it is on: with a proof of authenticity, or in development without.
    pub fn provider(&self, has_proof: bool, provider: impl Provider + 'static) -> Option<Box<dyn Provider>> {
        (has_proof || self.is_unverified).then(|| Box::new(provider) as Box<dyn Provider>)
    }

    /// A comma list of secrets. An empty, blank or placeholder secret is a problem.
    pub fn secrets(&mut self, name: &str) -> Vec<Secret> {
        self.secrets_beside(name, "")
    }

    /// The same, where a dashboard shows a label beside each secret.
    pub fn secrets_beside(&mut self, name: &str, label: &str) -> Vec<Secret> {
        let Some((variable, value)) = self.given.get(name) else { return Vec::new() };
        let secrets: Vec<Secret> = items(value).filter(|item| *item != label).map(Secret::new).collect();
        if secrets.is_empty() {
            self.reader.problem(variable, REAL_SECRET);
        }
        self.judge(name, &secrets);
        secrets
    }

    /// Says which secrets of a setting are none, or too short. For a setting in which the secret is only a part.
    pub fn judge(&mut self, name: &str, secrets: &[Secret]) {
        if secrets.iter().any(|secret| is_placeholder(secret.text())) {
            self.problem(name, REAL_SECRET);
        } else if secrets.iter().any(|secret| secret.text().len() < SHORT_SECRET) {
            self.warning(name, "is shorter than any provider's secret, and may be guessed");
        }
    }

    /// A text that may be unset. A placeholder is a problem.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let (variable, value) = self.given.get(name)?;
        if value.is_empty() {
            self.reader.warning(variable, "is empty, which counts as unset");
            return None;
        }
        if is_placeholder(value) {
            self.reader.problem(variable, "expected a real value; this is a placeholder");
        }
        Some(value.clone())
    }

    /// The signature schemes that are on: all of the provider's, unless `SIGNATURE_SCHEMES` names some.
    pub fn schemes(&mut self) -> Vec<&'static Scheme> {
        let Some((variable, value)) = self.given.get("SIGNATURE_SCHEMES") else { return self.spec.schemes.to_vec() };
        let on: Vec<&'static Scheme> =
            self.spec.schemes.iter().copied().filter(|scheme| items(value).any(|item| item == scheme.name)).collect();
        if on.is_empty() || on.len() != items(value).count() {
            let names: Vec<&str> = self.spec.schemes.iter().map(|scheme| scheme.name).collect();
            self.reader.problem(variable, &format!("expected a comma list of {}", names.join(", ")));
        }
        on
    }

    /// Says that a setting is wrong.
    pub fn problem(&mut self, name: &str, expected: &str) {
        let variable = self.variable(name);
        self.reader.problem(&variable, expected);
    }

    /// Says that a setting is odd.
    pub fn warning(&mut self, name: &str, sentence: &str) {
        let variable = self.variable(name);
        self.reader.warning(&variable, sentence);
    }

    fn variable(&self, name: &str) -> String {
        self.given.get(name).map_or_else(|| format!("{}_{name}", self.spec.prefix()), |(variable, _)| variable.clone())
    }
}
