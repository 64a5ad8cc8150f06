//! The environment as a value, so that only `main` reads the process's; the forms of its values, and findings about them.

mod findings;
pub mod values;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use findings::{Finding, Findings};

use crate::files;

/// Variables by name.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    /// The file from which some were read, if all users of the machine can read it.
    public_file: Option<String>,
    /// From where it was read, so that it can be read again.
    origin: Option<Arc<Origin>>,
}

#[derive(Clone)]
struct Origin {
    file: PathBuf,
    is_file_there: bool,
    process: Vec<(String, String)>,
}

/// A `.env` file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}")]
pub struct EnvError {
    path: String,
    // Of a syntax error only the position is reported: the line may hold a secret.
    cause: String,
}

impl EnvError {
    /// The file.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl Env {
    /// Reads a `.env` file, if it exists. The process's variables take precedence.
    pub fn read(file: &Path, process: impl IntoIterator<Item = (String, String)>) -> Result<Self, EnvError> {
        let unreadable = |cause: String| EnvError { path: file.display().to_string(), cause };
        let (mut variables, mut is_file_there) = (BTreeMap::new(), true);
        match dotenvy::from_path_iter(file) {
            Ok(entries) => {
                for entry in entries {
                    let (name, value) = entry.map_err(|error| unreadable(describe(&error)))?;
                    variables.insert(name, value);
                }
            }
            Err(dotenvy::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => is_file_there = false,
            Err(error) => return Err(unreadable(describe(&error))),
        }
        let process: Vec<_> = process.into_iter().collect();
        variables.extend(process.iter().cloned());
        let public_file = files::is_public(file).then(|| file.display().to_string());
        let origin = Origin { file: file.to_owned(), is_file_there, process };
        Ok(Self { variables, public_file, origin: Some(Arc::new(origin)) })
    }

    /// Reads the `.env` file again; the process's variables are those of its start. A file that has gone is an error.
    pub fn read_again(&self) -> Result<Self, EnvError> {
        let Some(Origin { file, is_file_there, process }) = self.origin.as_deref() else { return Ok(self.clone()) };
        let env = Self::read(file, process.iter().cloned())?;
        let is_gone = *is_file_there && env.origin.as_ref().is_some_and(|origin| !origin.is_file_there);
        if is_gone {
            return Err(EnvError { path: file.display().to_string(), cause: "it was there at the start".to_owned() });
        }
        Ok(env)
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

    /// Sets a variable as if the process had it, so that it stays when the file is read again.
    pub(crate) fn set_in_process(&mut self, name: &str, value: &str) {
        if let Some(origin) = &mut self.origin {
            Arc::make_mut(origin).process.push((name.to_owned(), value.to_owned()));
        }
        self.set(name, value.to_owned());
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
        Self { variables, public_file: None, origin: None }
    }
}
