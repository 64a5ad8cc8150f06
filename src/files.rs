//! Files that only the process's own user may read: the database holds numbers, addresses and texts.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::{
    fs::{Mode, statvfs},
    process::umask,
};

/// The permissions of the group and of all other users.
const OTHERS: u32 = 0o077;

/// Makes every file and folder that the process creates from now on accessible to its own user only.
pub fn restrict_new_files() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Creates an empty file for the process's own user, unless it exists.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

/// Bytes that this user may still store on the disk of a folder; `None` if that is unknown.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Removes the access of other users. Returns true if they had any; a file that does not exist has none.
pub(crate) fn tighten(path: &Path) -> io::Result<bool> {
    let mode = match fs::metadata(path) {
        Ok(file) => file.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if mode & OTHERS == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)).map_err(|error| {
        let shown = path.display();
        let sentence =
            format!("{shown} is open to other users, and its mode cannot be changed ({error}): chmod 600 it as its owner");
        io::Error::new(io::ErrorKind::PermissionDenied, sentence)
    })?;
    Ok(true)
}

/// True if the group or other users have access.
pub(crate) fn is_open(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & OTHERS != 0)
}

/// True if users outside the group have access, as to a `.env` of mode 644.
pub(crate) fn is_public(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & 0o007 != 0)
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|file| file.permissions().mode())
}
