//! A disk image in a file. It lacks what its file system has not written back, like a disk after a power cut. It does not model a
//! disk that loses its own write cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::database::{Backend, Database};

/// Enough for a long run. The file is sparse.
const BYTES: u64 = 2 << 30;

/// The kernel writes back every few seconds, and a copy takes a fraction of a second.
const ATTEMPTS: usize = 20;

/// A mounted ext4 file system, unmounted and deleted when it is dropped.
pub struct Image {
    root: tempfile::TempDir,
}

/// True if this machine and user can mount images; otherwise prints the reason.
pub fn is_available() -> bool {
    let Err(reason) = Image::make() else { return true };
    eprintln!("NOT RUN: power loss: {reason}");
    false
}

impl Image {
    pub fn make() -> Result<Self, String> {
        let image = Self { root: tempfile::tempdir().map_err(|error| error.to_string())? };
        let file = File::create(image.disk()).and_then(|file| file.set_len(BYTES));
        file.map_err(|error| error.to_string())?;
        // Otherwise the kernel initializes inodes for some seconds after the mount. A few inodes are enough.
        let options = ["-q", "-F", "-N", "1024", "-J", "size=16", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        run(Command::new("mkfs.ext4").args(options).arg(image.disk()))?;
        image.mount()?;
        Ok(image)
    }

    fn disk(&self) -> PathBuf {
        self.root.path().join("disk")
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("mounted")
    }

    /// The path of the database.
    pub fn file(&self) -> PathBuf {
        self.folder().join("waybill.db")
    }

    /// The folder of a spool.
    pub fn spool(&self) -> PathBuf {
        self.folder().join("spool")
    }

    pub fn database_url(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    fn mount(&self) -> Result<(), String> {
        fs::create_dir(self.folder()).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(self.disk()).arg(self.folder()))
    }

    /// A copy of the disk as a power cut at this moment would leave it. The process that writes to it must be frozen.
    pub fn after_power_cut(&self) -> Self {
        let other = Self { root: tempfile::tempdir().expect("a temporary folder") };
        let statistics = self.statistics();
        // A copy during which the kernel wrote something back is inconsistent.
        let is_consistent_copy = (0..ATTEMPTS).any(|_| {
            let before = writes(&statistics);
            run(Command::new("cp").arg("--sparse=always").arg(self.disk()).arg(other.disk())).expect("a copy");
            before.is_some() && writes(&statistics) == before
        });
        assert!(is_consistent_copy, "the kernel wrote back during every copy");
        other.mount().expect("the file system of the copy");
        other
    }

    /// A copy of the database, for inspection. No process may have it open.
    pub fn database(&self) -> Database {
        let database = Database::new(Backend::Sqlite);
        let Database::Sqlite { folder, .. } = &database else { panic!("SQLite") };
        for entry in fs::read_dir(self.folder()).expect("a folder").map(|entry| entry.expect("an entry")) {
            let name = entry.file_name();
            // The index of the log is rebuilt after a crash.
            if ["waybill.db", "waybill.db-wal"].iter().any(|file_name| name == *file_name) {
                fs::copy(entry.path(), folder.path().join(name)).expect("a copy");
            }
        }
        database
    }

    /// The file in which the kernel counts the device's writes.
    fn statistics(&self) -> PathBuf {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc");
        let folder = self.folder();
        let mut mounted = mounts.lines().map(|line| line.split(' '));
        let device = mounted.find_map(|mut fields| fields.next().filter(|_| fields.next().map(Path::new) == Some(&folder)));
        let name = device.and_then(|device| device.strip_prefix("/dev/")).expect("a loop device");
        Path::new("/sys/block").join(name).join("stat")
    }
}

/// Number of bytes written to a device so far; `None` while writes are in progress.
fn writes(statistics: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(statistics).expect("the statistics of a device");
    let fields: Vec<&str> = text.split_whitespace().collect();
    // Documentation/block/stat.rst: completed writes, sectors written, and requests in flight.
    (fields[8] == "0").then(|| (fields[4].to_owned(), fields[6].to_owned()))
}

impl Drop for Image {
    fn drop(&mut self) {
        let folder = self.folder();
        // Not mounted if `make` failed. After a panic a process may still hold a file open: a lazy unmount.
        if folder.exists() && run(Command::new("umount").arg(&folder)).is_err() {
            drop(run(Command::new("umount").arg("-l").arg(&folder)));
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let lines = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
    if output.status.success() { Ok(()) } else { Err(lines) }
}
