//! `waybill serve` as a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::{database::Database, gateway, twilio};

/// `waybill serve`, with its log.
pub struct Process {
    pub child: Child,
    pub log: mpsc::Receiver<String>,
    pub public: SocketAddr,
    /// Address of the operations listener.
    pub ops: SocketAddr,
}

impl Process {
    pub fn start(database: &Database, more: &[(&str, &str)]) -> Self {
        Self::configured(command(), database, more)
    }

    /// Starts it in the place of a shell, whose script has limited what both may use.
    pub fn start_limited(script: &str, database: &Database, more: &[(&str, &str)]) -> Self {
        Self::configured(limited(script), database, more)
    }

    fn configured(mut command: Command, database: &Database, more: &[(&str, &str)]) -> Self {
        command.env("OPS_TOKEN", gateway::OPS_TOKEN).env("TWILIO_AUTH_TOKEN", twilio::TOKEN).envs(more.iter().copied());
        Self::spawn(command, database)
    }

    /// Starts it in a folder with a `.env`, which has its secrets.
    pub fn start_in(folder: &Path, database: &Database) -> Self {
        let mut command = command();
        command.current_dir(folder);
        Self::spawn(command, database)
    }

    fn spawn(mut command: Command, database: &Database) -> Self {
        let url = database.url();
        let own = [
            ("DATABASE_URL", url.as_str()),
            ("LISTEN", "127.0.0.1:0"),
            ("OPS_LISTEN", "127.0.0.1:0"),
            ("WEBHOOK_BASE_URL", gateway::PUBLIC_URL),
            ("SHUTDOWN_DELAY", "0"),
        ];
        for (name, value) in own {
            if !command.get_envs().any(|(given, _)| given == name) {
                command.env(name, value);
            }
        }
        let mut child = command.arg("serve").stderr(Stdio::piped()).spawn().expect("the binary");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let ready = log.iter().find(|line| line.contains("callbacks: http://")).expect("the line with its addresses");
        let address = |name: &str| {
            let text = ready.split(name).nth(1).and_then(|rest| rest.split(',').next()).expect("an address");
            text.parse().expect("an address")
        };
        Self { public: address("callbacks: http://"), ops: address("operations: http://"), child, log }
    }

    /// The most memory that the process has used, in MiB.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") >> 10
    }

    /// The processor time that the process has used.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a process");
        // The name before it can hold anything. proc_pid_stat(5): the 14th and 15th field, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(") ").expect("its fields");
        let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// The number of its open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a process").count()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary with an empty environment, in a folder without a `.env`.
pub fn command() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().current_dir(std::env::temp_dir());
    command
}

/// The same in the place of a shell, after a script.
pub fn limited(script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{script} && exec \"$0\" \"$@\""), BINARY]).env_clear().current_dir(std::env::temp_dir());
    shell
}

const BINARY: &str = env!("CARGO_BIN_EXE_waybill");
