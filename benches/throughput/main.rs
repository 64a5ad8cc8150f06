//! Measures durably committed requests per second, end to end, and compares servers in the same run:
//!
//! - `ceiling`: the same HTTP server returns 200 and does nothing else,
//! - `no store`: it verifies and parses,
//! - `naive`: it verifies, parses and writes each callback in its own transaction,
//! - `waybill`: the gateway.
//!
//! `cargo bench --bench throughput` uses SQLite in a temporary folder; with `BENCH_DATABASE_URL=postgres://…` also that Postgres, which
//! should run on this machine with no other load. `cargo bench --bench throughput -- waybill` runs the servers whose names begin with
//! `waybill`. `BENCH_SECONDS` sets the length of a round (4), `BENCH_ROUNDS` their number (3).
//! Client and server share the machine, so compare ratios rather than absolute numbers. The columns are explained in
//! docs/performance.md.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    reason = "a benchmark fails by panicking and prints its result; it uses one function of the tests' module"
)]

mod load;
mod machine;
mod naive;
mod report;
mod servers;
#[path = "../../tests/support/callback.rs"]
mod signed;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use self::{
    load::{Load, Requests},
    report::{Measurement, Report},
    servers::Contender,
};

/// The gateway's allocator, for every server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: [usize; 3] = [1, 32, 256];

fn main() {
    if let Some(contender) = variable("BENCH_SERVE") {
        servers::serve(&contender);
        return;
    }
    let number = |name: &str, default: u64| variable(name).map_or(default, |text| text.parse().expect("a number"));
    let (rounds, round) = (number("BENCH_ROUNDS", 3), Duration::from_secs(number("BENCH_SECONDS", 4)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    let databases: Vec<String> = std::iter::once(sqlite).chain(variable("BENCH_DATABASE_URL")).collect();
    let mut report = Report::default();
    // Arguments without cargo's own, which begin with a dash.
    let prefixes: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_selected =
        |contender: &Contender| prefixes.is_empty() || prefixes.iter().any(|prefix| contender.name().starts_with(prefix));
    for contender in Contender::all(&databases).into_iter().filter(is_selected) {
        contender.prepare();
        let before = contender.rows().unwrap_or_default();
        let mut running = ServerProcess::start(&contender);
        let requests = Requests::default();
        load::run(running.address, CONNECTIONS[1], Duration::from_secs(1), &requests);
        for connections in CONNECTIONS {
            let measurements = (0..rounds).map(|_| running.round(&contender, connections, round, &requests)).collect();
            report.add(contender.name(), connections, measurements);
        }
        running.stop();
        let rows = contender.rows().map(|rows| rows - before);
        if let Some(rows) = rows {
            assert_eq!(rows, requests.acknowledged(), "{}: rows and acknowledged requests differ", contender.name());
        }
        report.add_totals(contender.name(), requests.acknowledged(), rows);
    }
    report.print();
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switches")]
    std::env::var(name).ok()
}

/// A server in its own process, so that its CPU time and memory can be measured.
struct ServerProcess {
    process: Child,
    address: std::net::SocketAddr,
}

impl ServerProcess {
    fn start(contender: &Contender) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this executable"))
            .env("BENCH_SERVE", contender.name())
            .env("BENCH_DATABASE", contender.database().unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Self { process, address: line.trim().parse().expect("an address") }
    }

    fn round(&mut self, contender: &Contender, connections: usize, round: Duration, requests: &Requests) -> Measurement {
        let before = self.cpu_time(contender);
        let Load { per_second, latencies } = load::run(self.address, connections, round, requests);
        let after = self.cpu_time(contender);
        let share = |(before, after): (Duration, Duration)| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(u32::try_from(latencies.len()).expect("fewer than 2^32"))
        };
        Measurement {
            per_second,
            percentiles: load::percentiles(latencies.clone()),
            server: share((before.0, after.0)),
            database: share((before.1, after.1)),
            memory: machine::peak_memory(self.process.id()),
        }
    }

    /// CPU time of the process, and of Postgres if it is used.
    fn cpu_time(&self, contender: &Contender) -> (Duration, Duration) {
        let postgres = contender.database().is_some_and(|url| url.starts_with("postgres"));
        (machine::cpu_time(self.process.id()), if postgres { machine::postgres_cpu_time() } else { Duration::ZERO })
    }

    fn stop(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().expect("an exit status").success(), "the server failed");
    }
}
