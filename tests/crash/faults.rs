//! System calls of a gateway that fail or are skipped, by strace.

use std::process::{Command, Stdio};

use crate::support;

/// True if system calls can be made to fail, and that was asked for; otherwise prints the reason.
pub fn are_available() -> bool {
    let is_wanted = support::variable("SYNC_FAULTS").is_some();
    let has_strace = Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success());
    if !(is_wanted && has_strace) {
        eprintln!("NOT RUN: failed syncs: needs strace, and SYNC_FAULTS=1");
    }
    is_wanted && has_strace
}

/// The command under strace with these arguments.
pub fn traced(gateway: &Command, faults: &[&str]) -> Command {
    // With -D the tracer is a grandchild, so that a signal reaches the gateway.
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-o", "/dev/null"]).args(faults);
    command.arg(gateway.get_program()).args(gateway.get_args());
    command.env_clear().current_dir(std::env::temp_dir()).stdout(Stdio::null());
    command.envs(gateway.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}
