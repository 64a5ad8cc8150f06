//! The token of the ops listener: configured, or generated once into a file of mode 0600.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{env::values::is_weak, files, secret::Secret, store::DatabaseUrl};

const FILE: &str = "waybill.ops-token";

/// The token, and its file if it was not configured.
#[derive(Clone, Debug)]
pub struct OpsToken {
    pub secret: Secret,
    pub file: Option<PathBuf>,
}

impl OpsToken {
    /// Returns the configured token, else the one in the file beside the database, else writes a new one to that file.
    pub fn obtain(configured: Option<Secret>, database: &DatabaseUrl) -> io::Result<Self> {
        if let Some(secret) = configured {
            return Ok(Self { secret, file: None });
        }
        let folder = match database {
            DatabaseUrl::Sqlite(path) => path.parent().unwrap_or(Path::new("")),
            DatabaseUrl::Postgres(_) => Path::new(""),
        };
        let file = folder.join(FILE);
        let secret = match read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => generate(folder, &file)?,
            read => read?,
        };
        Ok(Self { secret, file: Some(file) })
    }
}

fn read(file: &Path) -> io::Result<Secret> {
    if files::tighten(file)? {
        tracing::warn!(
            "{} was open to other users; it is now accessible to its owner only. Delete it to generate a new token",
            file.display()
        );
    }
    let text = fs::read_to_string(file)?;
    if is_weak(text.trim()) {
        return Err(io::Error::other(format!(
            "{} is empty or can be guessed: delete it to generate a new token",
            file.display()
        )));
    }
    Ok(Secret::new(text.trim()))
}

/// Writes a new token. If several gateways start at once, all use the token of the first.
fn generate(folder: &Path, file: &Path) -> io::Result<Secret> {
    let token = Secret::random()?;
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    fs::create_dir_all(folder)?;
    // A temporary file has mode 0600, and is renamed only when it is complete.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(token.bytes())?;
    match new.persist_noclobber(file) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => read(file),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn token_is_generated_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = DatabaseUrl::Sqlite(folder.path().join("data/waybill.db"));
        let obtain = || OpsToken::obtain(None, &database);
        let first = obtain().expect("a token");
        assert_eq!(first.secret.text().len(), 64);
        assert_eq!(obtain().expect("a token").secret.text(), first.secret.text());
        let file = first.file.expect("a file");
        let mode = || fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert_eq!((obtain().expect("a token").secret.text(), mode()), (first.secret.text(), 0o600));
    }
}
