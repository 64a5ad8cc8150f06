//! The settings of an account at a provider, as its `connect` and `signer` read them.

use std::collections::BTreeMap;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{Provider, Spec};
use crate::{
    env::{
        Findings,
        values::{NETWORKS_EXPECTED, SECRET_EXPECTED, WEAK_SECRET, is_placeholder, is_weak, items, network},
    },
    secret::Secret,
    signature::Scheme,
};

/// The largest file that a setting may name.
const MAX_FILE: u64 = 64 << 10;

/// Shorter than any provider's secret; reported, because it can be guessed.
const SHORT_SECRET: usize = 16;

/// More secrets than a rotation needs.
const MAX_SECRETS: usize = 8;

/// Shorter tokens could be guessed.
const MIN_URL_TOKEN: usize = 32;

/// The settings of an account. Problems are collected, not returned.
pub struct Settings<'s> {
    spec: &'static Spec,
    /// Setting → its variable and value.
    given: &'s BTreeMap<String, (String, String)>,
    is_unverified: bool,
    findings: &'s mut Findings,
    /// The hash of the settings, and of the files that were read.
    hash: Sha256,
}

impl<'s> Settings<'s> {
    pub fn new(
        spec: &'static Spec,
        given: &'s BTreeMap<String, (String, String)>,
        is_unverified: bool,
        findings: &'s mut Findings,
    ) -> Self {
        let mut hash = Sha256::new();
        for (name, (_, value)) in given {
            hash.update(format!("{name} {} {value} ", value.len()));
        }
        Self { spec, given, is_unverified, findings, hash }
    }

    /// The hash of the settings, and of the files that were read so far, by which changes are detected.
    pub fn hash(self) -> Sha256 {
        self.hash
    }

    /// The provider, if it is enabled: by a configured proof, or in development without one.
    pub fn provider(&self, has_proof: bool, provider: impl Provider + 'static) -> Option<Box<dyn Provider>> {
        (has_proof || self.is_unverified).then(|| Box::new(provider) as Box<dyn Provider>)
    }

    /// A comma list of secrets. An empty, blank or placeholder secret is a problem.
    pub fn secrets(&mut self, name: &str) -> Vec<Secret> {
        self.secrets_beside(name, "")
    }

    /// [`Settings::secrets`], without a label that a dashboard shows with each secret.
    pub fn secrets_beside(&mut self, name: &str, label: &str) -> Vec<Secret> {
        let Some((variable, value)) = self.given.get(name) else { return Vec::new() };
        let secrets: Vec<Secret> = items(value).filter(|item| *item != label).map(Secret::new).collect();
        if secrets.is_empty() {
            self.findings.problem(variable, SECRET_EXPECTED);
        }
        if secrets.len() > MAX_SECRETS {
            self.findings.problem(variable, "expected at most eight: each costs a MAC per request, also of forged ones");
        }
        self.check_secrets(name, &secrets);
        secrets
    }

    /// Reports secrets that are placeholders or too short. For a setting in which the secret is only a part.
    pub fn check_secrets(&mut self, name: &str, secrets: &[Secret]) {
        if secrets.iter().any(|secret| is_placeholder(secret.text())) {
            self.problem(name, SECRET_EXPECTED);
        } else if secrets.iter().any(|secret| secret.text().len() < SHORT_SECRET) {
            self.warning(name, "is shorter than any provider's secret, and may be guessed");
        }
    }

    /// [`Settings::secrets`] that a person chose, in all or in the part that `secret` selects. One that can be guessed is a problem.
    pub fn chosen_secrets(&mut self, name: &str, secret: impl Fn(&str) -> &str) -> Vec<Secret> {
        let secrets = self.secrets(name);
        self.reject_weak(name, secrets.iter().map(|one| secret(one.text())));
        secrets
    }

    /// Reports secrets that a person chose and that can be guessed.
    pub fn reject_weak<'t, T: Iterator<Item = &'t str>>(&mut self, name: &str, mut secrets: T) {
        if secrets.any(|secret| !is_placeholder(secret) && is_weak(secret)) {
            self.problem(name, WEAK_SECRET);
        }
    }

    /// The tokens that may end the URL.
    pub fn url_tokens(&mut self) -> Vec<Secret> {
        let tokens = self.secrets("URL_TOKEN");
        let fits = |token: &Secret| {
            token.text().len() >= MIN_URL_TOKEN
                && !is_weak(token.text())
                && token.bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte))
        };
        if !tokens.iter().all(fits) {
            self.problem("URL_TOKEN", "expected 32 random characters or more, of A-Z, a-z, 0-9, `-`, `_`, `.` and `~`; `openssl rand -hex 32` makes one");
        }
        tokens
    }

    /// A comma list of networks or addresses.
    pub fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let Some((_, value)) = self.given.get(name) else { return Vec::new() };
        let read: Vec<Option<IpNet>> = items(value).map(network).collect();
        // A list that is set and empty would accept any client.
        if read.is_empty() || read.iter().any(Option::is_none) {
            self.problem(name, NETWORKS_EXPECTED);
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
            self.problem(name, "expected the path of a readable text file of at most 64 KiB");
        }
        self.hash.update(text.as_deref().unwrap_or_default());
        text
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|(_, value)| !value.is_empty())
    }

    /// A text that may be unset. A placeholder is a problem.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let (variable, value) = self.given.get(name)?;
        if value.is_empty() {
            self.findings.warning(variable, "is empty, which counts as unset");
            return None;
        }
        if is_placeholder(value) {
            self.findings.problem(variable, "expected a real value; this is a placeholder");
        }
        Some(value.clone())
    }

    /// The accepted signature schemes: all of the provider's, unless `SIGNATURE_SCHEMES` names some. A scheme that does not cover the
    /// payload is not a signature, and is accepted if it is configured.
    pub fn schemes(&mut self) -> Vec<&'static Scheme> {
        let signatures: Vec<&'static Scheme> = self.spec.signatures().collect();
        let Some((variable, value)) = self.given.get("SIGNATURE_SCHEMES") else { return signatures };
        let on: Vec<&'static Scheme> =
            signatures.iter().copied().filter(|scheme| items(value).any(|item| item == scheme.name)).collect();
        if on.is_empty() || on.len() != items(value).count() {
            let names: Vec<&str> = signatures.iter().map(|scheme| scheme.name).collect();
            self.findings.problem(variable, &format!("expected a comma list of {}", names.join(", ")));
        }
        on
    }

    pub fn problem(&mut self, name: &str, expected: &str) {
        let variable = self.variable(name);
        self.findings.problem(&variable, expected);
    }

    pub fn warning(&mut self, name: &str, sentence: &str) {
        let variable = self.variable(name);
        self.findings.warning(&variable, sentence);
    }

    fn variable(&self, name: &str) -> String {
        self.given.get(name).map_or_else(|| format!("{}_{name}", self.spec.prefix()), |(variable, _)| variable.clone())
    }
}
