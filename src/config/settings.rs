//! The settings of one account at one provider, as a provider's `connect` sees them.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::reader::{REAL_SECRET, Reader, SHORT_SECRET, is_placeholder, items};
use crate::{
    provider::{Provider, Spec},
    secret::Secret,
    signature::Scheme,
};

/// The largest file that a setting may name.
const MAX_FILE: u64 = 64 << 10;

/// Shorter tokens could be guessed.
const MIN_URL_TOKEN: usize = 32;

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

    /// The tokens that may stand at the end of the URL.
    pub fn url_tokens(&mut self) -> Vec<Secret> {
        let tokens = self.secrets("URL_TOKEN");
        let fits = |token: &Secret| {
            token.text().len() >= MIN_URL_TOKEN
                && token.bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte))
        };
        if !tokens.iter().all(fits) {
            self.problem("URL_TOKEN", "expected 32 characters or more, of A-Z, a-z, 0-9, `-`, `_`, `.` and `~`");
        }
        tokens
    }

    /// A comma list of networks or addresses.
    pub fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let Some((_, value)) = self.given.get(name) else { return Vec::new() };
        let read: Vec<Option<IpNet>> = items(value).map(super::network).collect();
        // A list that is set and empty would let everybody in.
        if read.is_empty() || read.iter().any(Option::is_none) {
            self.problem(name, super::NETWORKS_EXPECTED);
        }
        read.into_iter().flatten().collect()
    }

    /// A whole number that may be unset.
    pub fn number(&mut self, name: &str) -> Option<usize> {
        let (_, value) = self.given.get(name).filter(|(_, value)| !value.is_empty())?;
        let number = value.parse().ok();
        if number.is_none() {
            self.problem(name, "expected a whole number");
        }
        number
    }

    /// A word that may be unset.
    pub fn word<W: std::str::FromStr + Default>(&mut self, name: &str, expected: &str) -> W {
        let Some((_, value)) = self.given.get(name).filter(|(_, value)| !value.is_empty()) else { return W::default() };
        let word = value.parse().ok();
        if word.is_none() {
            self.problem(name, expected);
        }
        word.unwrap_or_default()
    }

    /// The text of a file whose path is set.
    pub fn file(&mut self, name: &str) -> Option<String> {
        let path = self.text(name)?;
        let is_small = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE);
        let text = is_small.then(|| std::fs::read_to_string(path).ok()).flatten();
        if text.is_none() {
            self.problem(name, "expected the path of a text file that can be read, 64 KiB at the most");
        }
        text
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

    /// The signature schemes that are on: all of the provider's, unless `SIGNATURE_SCHEMES` names some. What covers no payload is no
    /// signature, and on if it is configured.
    pub fn schemes(&mut self) -> Vec<&'static Scheme> {
        let signatures: Vec<&'static Scheme> = self.spec.signatures().collect();
        let Some((variable, value)) = self.given.get("SIGNATURE_SCHEMES") else { return signatures };
        let on: Vec<&'static Scheme> =
            signatures.iter().copied().filter(|scheme| items(value).any(|item| item == scheme.name)).collect();
        if on.is_empty() || on.len() != items(value).count() {
            let names: Vec<&str> = signatures.iter().map(|scheme| scheme.name).collect();
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
