//! Resource usage of processes and a description of the machine, read from Linux.

use std::{fs, time::Duration};

/// CPU time of a process.
pub fn cpu_time(process: u32) -> Duration {
    // User and system time are the 12th and 13th field after the name, which is in parentheses and may contain spaces.
    let Ok(text) = fs::read_to_string(format!("/proc/{process}/stat")) else { return Duration::ZERO };
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // In hundredths of a second, independent of the kernel's tick rate.
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// CPU time of all Postgres processes on this machine.
pub fn postgres_cpu_time() -> Duration {
    let processes = fs::read_dir("/proc").expect("Linux").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_postgres =
        |process: &u32| fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == "postgres");
    processes.filter(is_postgres).map(cpu_time).sum()
}

/// Peak memory of a process, in MiB.
pub fn peak_memory(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}

/// Processor, memory and kernel.
pub fn description() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("?", |(_, value)| value.trim()).to_owned()
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{processors} × {}, {} of memory, Linux {}",
        value(&read("/proc/cpuinfo"), "model name"),
        value(&read("/proc/meminfo"), "MemTotal"),
        kernel.trim()
    )
}
