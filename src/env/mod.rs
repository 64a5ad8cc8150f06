//! The environment as a value, so that only `main` reads the process's; the forms of its values, and findings about them.

mod findings;
pub mod values;

use std::{collections::BTreeMap, io, path::Path};

pub use findings::{Finding, Findings};

/// Variables by name.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// A `.env` file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}")]
pub struct EnvError {
    path: String,
    // Of a syntax error only the position is reported: the line may hold a secret.
    cause: String,
}

impl Env {
    /// Reads a `.env` file, if it exists. The process's variables take precedence.
    pub fn read(file: &Path, process: impl IntoIterator<Item = (String, String)>) -> Result<Self, EnvError> {
        let unreadable = |cause: String| EnvError { path: file.display().to_string(), cause };
        let mut variables = BTreeMap::new();
        match dotenvy::from_path_iter(file) {
            Ok(entries) => {
                for entry in entries {
                    let (name, value) = entry.map_err(|error| unreadable(describe(&error)))?;
                    variables.insert(name, value);
                }
            }
            Err(dotenvy::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(describe(&error))),
        }
        variables.extend(process);
        Ok(Self(variables))
    }

    /// The value of a variable; an empty one counts as unset (see [`Env::is_set`]).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// True also for an empty value.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn describe(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(_, offset) => format!("syntax error at character {offset} of a line"),
        dotenvy::Error::Io(error) => error.to_string(),
        _ => "syntax error".to_owned(),
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
