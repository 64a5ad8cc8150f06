//! The environment as a value, so that nothing but `main` reads the process's.

use std::{collections::BTreeMap, io, path::Path};

/// Variables by name.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// Why a `.env` file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}")]
pub struct UnreadableEnv {
    path: String,
    // Only the place of a syntax error is told: the line may hold a secret.
    cause: String,
}

impl Env {
    /// The variables of a `.env` file, if it is there, under those of the process.
    pub fn read(file: &Path, process: impl IntoIterator<Item = (String, String)>) -> Result<Self, UnreadableEnv> {
        let unreadable = |cause: String| UnreadableEnv { path: file.display().to_string(), cause };
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

    /// The value of a variable. Empty counts as unset; whether it was set at all is [`Env::is_set`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether the variable is there, even empty.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn describe(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(_, offset) => format!("a line cannot be read (at its character {offset})"),
        dotenvy::Error::Io(error) => error.to_string(),
        _ => "a line cannot be read".to_owned(),
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
