//! Secrets in files: `TWILIO_AUTH_TOKEN_FILE` is the path of a file with the value of `TWILIO_AUTH_TOKEN`, as container platforms mount
//! secrets.
//!
//! The mode of such a file is not checked: Docker mounts secrets with 0444 and Kubernetes with 0644, in a container that has one user
//! (docs.docker.com/compose/how-tos/use-secrets, kubernetes.io/docs/concepts/configuration/secret, read 2026-11-28).

use std::{fs, io};

use super::variables;
use crate::{
    env::{Env, Finding, Findings},
    providers,
};

/// The end of the name of a variable with a path.
const SUFFIX: &str = "_FILE";

const MAX_FILE: u64 = 64 << 10;

/// A secret that was read from a file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SecretFile {
    /// The variable with the path.
    pub variable: String,
    pub path: String,
}

impl SecretFile {
    /// Names the variable with the path in a finding about the secret.
    pub(super) fn rename(&self, finding: &mut Finding) {
        if self.variable.strip_suffix(SUFFIX) == Some(&finding.variable) {
            finding.variable.clone_from(&self.variable);
        }
    }
}

/// The environment with the secrets of its files in place of their paths.
pub(super) fn read(env: &Env, findings: &mut Findings) -> (Env, Vec<SecretFile>) {
    let (mut complete, mut files) = (env.clone(), Vec::new());
    for variable in env.names() {
        let Some(secret) = variable.strip_suffix(SUFFIX).filter(|name| is_secret(name)) else { continue };
        let path = complete.take(variable).unwrap_or_default();
        if env.is_set(secret) {
            findings.problem(variable, &format!("expected either this or {secret}, not both"));
            continue;
        }
        match text(&path) {
            Ok(text) => complete.set(secret, text),
            Err(problem) => findings.problem(variable, &problem),
        }
        files.push(SecretFile { variable: variable.to_owned(), path });
    }
    (complete, files)
}

/// True for a variable that has a secret.
fn is_secret(variable: &str) -> bool {
    let of_provider = providers::ALL.iter().any(|spec| {
        let rest = variable.strip_prefix(&spec.prefix()).and_then(|rest| rest.strip_prefix('_'));
        let name = rest.and_then(|rest| match rest.strip_prefix('_') {
            Some(named) => named.rsplit_once("__").map(|(_, name)| name),
            None => Some(rest),
        });
        spec.settings.iter().any(|setting| setting.kind.is_secret() && Some(setting.name) == name)
    });
    of_provider || variables::ALL.iter().any(|known| known.is_secret() && known.name == variable)
}

/// The text of a file, without the ends of its last line; or the sentence about the problem.
fn text(path: &str) -> Result<String, String> {
    // A secret that was set in place of its path is not shown.
    let shown = if path.starts_with("whsec_") || !path.contains(['/', '.']) { "the file of this name" } else { path };
    if path.is_empty() {
        return Err("expected the path of a file with the secret".to_owned());
    }
    let unreadable = |error: io::Error| format!("cannot read {shown}: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    // Reading another kind may wait for ever.
    if !metadata.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    if metadata.len() > MAX_FILE {
        return Err(format!("{shown} has more than 64 KiB"));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{shown} has more than one line of text: expected one, with a comma between two secrets"));
    }
    Ok(text.to_owned())
}
