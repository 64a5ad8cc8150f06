//! Other users of the machine, and the files of the gateway.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::client;

/// A gateway that a shell with the usual mask has started in a folder.
struct Process {
    child: Child,
    log: String,
    public: SocketAddr,
}

fn shell(folder: &Path, command: &str) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("umask 022; exec {} {command}", env!("CARGO_BIN_EXE_waybill"));
    shell.args(["-c", &script]).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    for (name, value) in [("LISTEN", "127.0.0.1:0"), ("OPS_LISTEN", "127.0.0.1:0"), ("SHUTDOWN_DELAY", "0")] {
        shell.env(name, value);
    }
    shell.env("DATABASE_URL", "sqlite://data/waybill.db");
    shell
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = shell(folder, "serve").stderr(Stdio::piped()).spawn().expect("a shell");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut log = String::new();
        while !log.contains("the ops token is in") {
            let line = lines.next().unwrap_or_else(|| panic!("ended early: {log}")).expect("a line");
            log += &(line + "\n");
        }
        let rest = log.split("callbacks: http://").nth(1).expect("an address");
        let public = rest.split(',').next().expect("an address").parse().expect("an address");
        // Reads on, so that the gateway never waits for a reader of its log.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, log, public }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

/// The files of a folder with their modes.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let mut modes: Vec<(PathBuf, u32)> = files.map(|path| (path.clone(), mode(&path))).collect();
    modes.sort();
    modes
}

fn set_modes(folder: &Path, mode: u32) {
    for (path, _) in modes(folder) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

#[test]
fn files_are_accessible_to_their_owner_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (env, data) = (folder.path().join(".env"), folder.path().join("data"));
    fs::write(&env, "MIFUMO_WEBHOOK_SECRET=5e8c1f04a9b7d3626c0f8e1d4b7a9053\n").expect("written");
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).expect("a mode");
    let first = Process::start(folder.path());
    assert!(first.log.contains(".env: all users of this machine can read it"), "{}", first.log);
    let signature = [("X-Webhook-Signature".to_owned(), "00".repeat(32))];
    assert_eq!(client::send(first.public, "POST", "/webhooks/mifumo", &signature, b"{}").status, 401);
    drop(first);
    let made = modes(&data);
    let names: Vec<_> = made.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    for name in ["waybill.db", "waybill.db-rejected", "waybill.ops-token"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(made.iter().all(|(_, mode)| *mode == 0o600), "{made:?}");

    set_modes(&data, 0o644);
    let second = Process::start(folder.path());
    let running = modes(&data);
    assert!(running.iter().any(|(path, _)| path.ends_with("waybill.db-wal")), "{running:?}");
    assert!(running.iter().all(|(_, mode)| *mode == 0o600), "{running:?}");
    for name in ["waybill.db", "waybill.db-rejected", "waybill.ops-token"] {
        assert!(second.log.contains(&format!("{name} was open to other users")), "{name}: {}", second.log);
    }
    // Commands beside the gateway restrict them as well, and `check` reports them.
    set_modes(&data, 0o664);
    let check = shell(folder.path(), "check").output().expect("an exit");
    assert!(String::from_utf8_lossy(&check.stdout).contains("waybill.db is open to other users"), "{check:?}");
    assert!(shell(folder.path(), "messages").output().expect("an exit").status.success());
    let database = modes(&data).into_iter().filter(|(path, _)| !path.ends_with("waybill.ops-token"));
    assert!(database.clone().all(|(_, mode)| mode == 0o600), "{:?}", database.collect::<Vec<_>>());
}

/// A database of another user that is open to all is not used.
#[test]
fn open_file_of_another_user_is_refused() {
    let mut command = shell(Path::new("/"), "migrate");
    command.env("DATABASE_URL", "sqlite:///etc/passwd");
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root {
        command.uid(65_534);
    }
    let output = command.output().expect("an exit");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{error}");
    assert!(error.contains("/etc/passwd is open to other users") && error.contains("chmod 600 it as its owner"), "{error}");
}
