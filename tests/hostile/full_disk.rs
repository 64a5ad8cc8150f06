//! A full disk: what is queued is committed, the log is copied, and the running gateway takes callbacks again once there is room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use waybill::time::Timestamp;

use crate::support::{
    client,
    database::Database,
    gateway::Gateway,
    twilio::{self, TOKEN},
};

const BYTES: u64 = 16 << 20;

/// A small file system in memory, unmounted when it is dropped.
pub struct SmallDisk(pub tempfile::TempDir);

impl SmallDisk {
    /// `None` if this user cannot mount.
    #[expect(clippy::print_stderr, reason = "a test that was not run is named")]
    pub fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={BYTES}");
        let reason = match Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output() {
            Ok(output) if output.status.success() => return Some(Self(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("NOT RUN: full disk: {reason}");
        None
    }

    /// Takes all room that is left; returns the file that has it.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4 << 10]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Sends callbacks until one is not taken, or the number is reached; returns the number that were taken.
pub fn taken(gateway: &Gateway, first: usize, most: usize, bytes: usize) -> usize {
    let send = |number: usize| {
        let body = format!("MessageSid=SM{number:032}&MessageStatus=sent&X={}", "y".repeat(bytes));
        let status = twilio::form(gateway, &body).status;
        assert!([200, 503].contains(&status), "{status}");
        status == 200
    };
    (first..first + most).take_while(|number| send(*number)).count()
}

#[test]
fn full_disk_heals_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder = tempfile::tempdir_in(disk.0.path()).expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (database, log, reserve) = (file("waybill.db"), file("waybill.db-wal"), file("waybill.db-reserve"));
    let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let variables = [("TWILIO_AUTH_TOKEN".to_owned(), TOKEN.to_owned())];
    let gateway = Gateway::start_on(Database::Sqlite { connection: None, folder }, now, &variables);
    let mut number = 0;
    for filling in 0..3 {
        let deadline = Instant::now() + Duration::from_secs(20);
        while size(&reserve) < 1 << 20 {
            assert!(Instant::now() < deadline, "no reserve before filling {filling}");
            assert_eq!(client::get(gateway.address(), "/webhooks/health", &[]).status, 200);
        }
        let ballast = disk.fill();
        let more = taken(&gateway, number, 10, 20 << 10);
        assert_eq!(more, 10, "filling {filling}: the reserve has room for what is queued");
        number += more + taken(&gateway, number + more, 1_000, 40 << 10);
        assert_eq!(size(&reserve), 0, "it is released");
        fs::remove_file(ballast).expect("the ballast");
        let again = taken(&gateway, number, 10, 20 << 10);
        assert_eq!(again, 10, "filling {filling}: there is room again");
        number += again;
    }
    // Callbacks alone fill the disk. The log is copied in time, so that the room is used for rows.
    number += taken(&gateway, number, 2_000, 40 << 10);
    let sizes = (size(&database), size(&log));
    assert!(sizes.0 > BYTES / 2 && sizes.1 < BYTES / 4, "database and log: {sizes:?}");
    let stored = gateway.database.query("SELECT count(*) AS row FROM message_external_ids");
    assert!(stored[0].parse::<usize>().is_ok_and(|stored| stored >= number), "{stored:?} of {number} acknowledged");
    assert_eq!(gateway.ops("/api/health")["waiting"]["quarantined"], 0, "the records are not blamed");
}
