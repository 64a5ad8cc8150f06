//! The environment as a value, so that only `main` reads the process's; the forms of its values, and findings about them.

mod findings;
pub mod values;

use std::{collections::BTreeMap, io, path::Path};

pub use findings::{Finding, Findings};

use crate::files;

/// Variables by name.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    /// The file from which some were read, if all users of the machine can read it.
    public_file: Option<String>,
}

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
        let public_file = files::is_public(file).then(|| file.display().to_string());
        Ok(Self { variables, public_file })
    }

    /// The value of a variable; an empty one counts as unset (see [`Env::is_set`]).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// True also for an empty value.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(crate) fn set(&mut self, name: &str, value: String) {
        drop(self.variables.insert(name.to_owned(), value));
    }

    /// Removes a variable, and returns its value without the blanks around it.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.variables.remove(name).map(|value| value.trim().to_owned())
    }

    /// The file from which some were read, if all users of the machine can read it.
    pub(crate) fn public_file(&self) -> Option<&str> {
        self.public_file.as_deref()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
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
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, public_file: None }
    }
}
