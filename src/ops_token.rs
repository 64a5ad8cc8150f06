//! The token of the ops listener: configured, or generated once into a file that only its owner can read.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{config::DatabaseUrl, secret::Secret};

const FILE: &str = "waybill.ops-token";

/// A token and the file it stands in, if it was not configured.
#[derive(Clone, Debug)]
pub struct OpsToken {
    /// The token.
    pub secret: Secret,
    /// Where it stands.
    pub file: Option<PathBuf>,
}

impl OpsToken {
    /// The configured token, else that of the file beside the database, else a new one in that file.
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
    let text = fs::read_to_string(file)?;
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "{} can be read by others; chmod 600 it, or delete it for a new token",
            file.display()
        )));
    }
    if text.trim().is_empty() {
        return Err(io::Error::other(format!("{} is empty; delete it", file.display())));
    }
    Ok(Secret::new(text.trim()))
}

/// Writes a new token. Of several gateways that start together one wins, and all take its token.
fn generate(folder: &Path, file: &Path) -> io::Result<Secret> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    fs::create_dir_all(folder)?;
    // Such a file has mode 0600, and only appears under its name when it is whole.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(hex::encode(random).as_bytes())?;
    match new.persist_noclobber(file) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => read(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = DatabaseUrl::Sqlite(folder.path().join("data/waybill.db"));
        let obtain = || OpsToken::obtain(None, &database);
        let first = obtain().expect("a token");
        assert_eq!(first.secret.text().len(), 64);
        assert_eq!(obtain().expect("a token").secret.text(), first.secret.text());
        let file = first.file.expect("a file");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(obtain().is_err(), "others can read it");
    }
}
