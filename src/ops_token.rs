//! The token of the ops listener: configured, or generated once into a file that only its owner can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
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
        let secret = match fs::read_to_string(&file) {
            Ok(text) if !text.trim().is_empty() => Secret::new(text.trim()),
            Ok(_) => return Err(io::Error::other(format!("{} is empty; delete it", file.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => generate(folder, &file)?,
            Err(error) => return Err(error),
        };
        Ok(Self { secret, file: Some(file) })
    }
}

fn generate(folder: &Path, file: &Path) -> io::Result<Secret> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let token = hex::encode(random);
    if folder != Path::new("") {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(token.as_bytes())?;
    Ok(Secret::new(token))
}
