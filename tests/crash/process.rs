//! A child process that can be frozen or killed at any moment, and is killed when its handle is dropped.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    faults::traced,
    support::{
        gateway::{OPS_TOKEN, PUBLIC_URL},
        twilio::TOKEN,
    },
};

pub struct Process {
    child: Child,
    /// Lines of its output, read by a thread, so that the process never blocks on the pipe.
    pub lines: mpsc::Receiver<String>,
}

impl Process {
    /// A gateway on that database.
    pub fn gateway(database_url: &str) -> Self {
        Self::serve(command("serve", database_url))
    }

    /// A gateway that acknowledges callbacks from a spool in that folder.
    pub fn spooling_gateway(database_url: &str, folder: &Path) -> Self {
        Self::serve(command_with_spool(database_url, folder))
    }

    /// A gateway whose system calls strace changes as these arguments say.
    pub fn gateway_with_faults(database_url: &str, faults: &[&str]) -> Self {
        Self::serve(traced(&command("serve", database_url), faults))
    }

    /// The same with a spool.
    pub fn spooling_gateway_with_faults(database_url: &str, folder: &Path, faults: &[&str]) -> Self {
        Self::serve(traced(&command_with_spool(database_url, folder), faults))
    }

    fn serve(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary");
        let log = child.stderr.take().expect("a pipe");
        Self { child, lines: lines(log) }
    }

    /// A program that prints to its standard output and finally waits on its standard input, which stays open.
    pub fn with_piped_output(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
        let output = child.stdout.take().expect("a pipe");
        Self { child, lines: lines(output) }
    }

    /// Waits until the gateway listens, and returns the address for callbacks.
    pub fn address(&self) -> SocketAddr {
        let mut lines = Vec::new();
        for line in &self.lines {
            if let Some((_, rest)) = line.split_once("callbacks: http://") {
                let (address, _) = rest.split_once(',').expect("two addresses");
                return address.parse().expect("an address");
            }
            lines.push(line);
        }
        panic!("the gateway ended before it listened: {lines:#?}")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child process");
        self.child.wait().expect("an exit");
    }

    /// SIGTERM, and the wait for the end.
    pub fn terminate(&mut self) {
        self.signal("TERM");
        self.child.wait().expect("an exit");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// SIGSTOP: the process no longer writes, syncs or responds.
    pub fn freeze(&self) {
        let process = self.child.id();
        self.signal("STOP");
        // Delivery takes time, and a thread inside a sync completes it first.
        let started = Instant::now();
        while !is_stopped(process) {
            assert!(started.elapsed() < Duration::from_secs(10), "it does not stop");
            thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary with that subcommand and a fixed configuration, in a folder without a `.env`.
pub fn command(subcommand: &str, database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command
        .arg(subcommand)
        .env_clear()
        .current_dir(std::env::temp_dir())
        .env("DATABASE_URL", database_url)
        .env("LISTEN", "127.0.0.1:0")
        .env("OPS_LISTEN", "127.0.0.1:0")
        .env("OPS_TOKEN", OPS_TOKEN)
        .env("WEBHOOK_BASE_URL", PUBLIC_URL)
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("SHUTDOWN_DELAY", "0")
        .stdout(Stdio::null());
    command
}

fn command_with_spool(database_url: &str, folder: &Path) -> Command {
    let mut command = command("serve", database_url);
    command.env("SPOOL_PATH", folder).env("SPOOL_MODE", "always");
    command
}

fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// True if every thread of the process is in the state "stopped".
fn is_stopped(process: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("/proc");
    tasks.map(|task| fs::read_to_string(task.expect("a task").path().join("stat"))).all(|stat| {
        // The state follows the name, which is in parentheses and may contain any character.
        // `t` if strace traces it.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't'])))
    })
}
