//! A process that can be stopped at any moment, and that ends with its handle.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    gateway::{OPS_TOKEN, PUBLIC_URL},
    twilio::TOKEN,
};

pub struct Process {
    child: Child,
    /// What it said, from a thread, so that it never waits for its reader.
    pub lines: mpsc::Receiver<String>,
}

impl Process {
    /// The real gateway on that database.
    pub fn gateway(database_url: &str) -> Self {
        let mut child = command("serve", database_url).stderr(Stdio::piped()).spawn().expect("the binary");
        let log = child.stderr.take().expect("a pipe");
        Self { child, lines: lines(log) }
    }

    /// A program that speaks to its standard output and waits at the end for its standard input, which stays open.
    pub fn speaking(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
        let output = child.stdout.take().expect("a pipe");
        Self { child, lines: lines(output) }
    }

    /// Where the gateway takes callbacks; waits until it does.
    pub fn address(&self) -> SocketAddr {
        let mut said = Vec::new();
        for line in &self.lines {
            if let Some((_, rest)) = line.split_once("callbacks: http://") {
                let (address, _) = rest.split_once(',').expect("two addresses");
                return address.parse().expect("an address");
            }
            said.push(line);
        }
        panic!("the gateway ended before it listened: {said:#?}")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("an exit");
    }

    /// SIGSTOP: from here on it neither writes nor syncs nor answers.
    pub fn freeze(&self) {
        let process = self.child.id();
        let sent = Command::new("kill").args(["-STOP", &process.to_string()]).status();
        assert!(sent.expect("kill").success());
        // The signal is only on its way, and a thread that is inside a sync ends that first.
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

/// The binary with that subcommand and a configuration of its own, in a folder without an `.env`.
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

fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// Whether every thread of the process is in the state "stopped".
fn is_stopped(process: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("/proc");
    tasks.map(|task| fs::read_to_string(task.expect("a task").path().join("stat"))).all(|stat| {
        // The state follows the name, which is in brackets and may hold any character. A thread that has ended is not there.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    })
}
