//! Measures a burst of callbacks: the rate at which they are acknowledged, and the time until all of them are in the database. Compares
//! in the same run:
//!
//! - `ceiling`: the same HTTP server returns 200 and does nothing else,
//! - `direct`: the database commits each callback before it is acknowledged,
//! - `spool`: `SPOOL_MODE=always`,
//! - `broker 2x1`: two gateways publish to a broker, from which one writer reads.
//!
//! `cargo bench --bench burst` uses SQLite in a temporary folder; with `BENCH_DATABASE_URL=postgres://…` also that Postgres, and with
//! `BENCH_QUEUE_URL=nats://…` also that broker. Arguments are the beginnings of the names to run. `BENCH_REQUESTS` sets the size of the
//! burst (200,000). The columns are explained in docs/performance.md.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a benchmark fails by panicking and prints its result; it shares modules with another one"
)]

#[path = "../throughput/load.rs"]
mod load;
#[path = "../throughput/machine.rs"]
mod machine;
#[path = "../throughput/naive.rs"]
mod naive;
#[path = "../throughput/servers.rs"]
mod servers;
mod shape;
#[path = "../../tests/support/callback.rs"]
mod signed;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::{
    load::{Load, Requests},
    shape::{Running, Shape},
};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: [usize; 2] = [32, 256];

/// A queue that is not drained after this long is stuck.
const TIMEOUT: Duration = Duration::from_mins(10);

fn main() {
    if let Some(contender) = variable("BENCH_SERVE") {
        servers::serve(&contender);
        return;
    }
    let count = variable("BENCH_REQUESTS").map_or(200_000, |text| text.parse().expect("a number"));
    let prefixes: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("\n{}, {count} callbacks\n", machine::description());
    println!(
        "| connections | server | acknowledged/s | of the ceiling | p50 ms | p99 ms | not drained at the end | drained after s | in the database/s | of the ceiling | memory MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut ceilings = BTreeMap::new();
    for shape in Shape::all().into_iter().filter(|shape| shape.is_selected(&prefixes)) {
        for connections in CONNECTIONS {
            let burst = Burst::of(&shape, connections, count);
            let ceiling = *ceilings.entry(connections).or_insert(burst.load.per_second);
            burst.print(&shape, connections, ceiling);
        }
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switches")]
    std::env::var(name).ok()
}

/// The result of one burst.
struct Burst {
    count: u64,
    load: Load,
    drain: Option<Drain>,
    /// Peak memory of all processes, in MiB.
    memory: f64,
}

/// The way of the burst into the database.
struct Drain {
    /// Callbacks that were not in the database when the last one was acknowledged.
    pending: u64,
    /// Time from then until they were.
    time: Duration,
    /// Time from the first request.
    total: Duration,
}

impl Burst {
    fn of(shape: &Shape, connections: usize, count: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = Running::start(shape, folder.path());
        // Connections, caches and the first segment or stream.
        let warm_up = Requests::default();
        load::burst(&running.addresses, connections, 2_000, &warm_up);
        running.wait_for_rows(warm_up.acknowledged(), TIMEOUT);
        let (requests, started) = (Requests::after(warm_up.acknowledged()), Instant::now());
        let load = load::burst(&running.addresses, connections, warm_up.acknowledged() + count, &requests);
        assert_eq!(requests.acknowledged(), count);
        let acknowledged = Instant::now();
        let drain = running.rows().map(|rows| {
            running.wait_for_rows(warm_up.acknowledged() + count, TIMEOUT);
            Drain {
                pending: (warm_up.acknowledged() + count).saturating_sub(rows),
                time: acknowledged.elapsed(),
                total: started.elapsed(),
            }
        });
        let memory = running.peak_memory();
        running.stop();
        Self { count, load, drain, memory }
    }

    fn print(&self, shape: &Shape, connections: usize, ceiling: f64) {
        let [p50, p99, _] = load::percentiles(self.load.latencies.clone());
        let (rate, memory) = (self.load.per_second, self.memory);
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let drained = self.drain.as_ref().map_or("| | | ".to_owned(), |drain| {
            let sustained = self.count as f64 / drain.total.as_secs_f64();
            let of_ceiling = sustained / ceiling;
            format!("{} | {:.1} | {sustained:.0} | {of_ceiling:.2}", drain.pending, drain.time.as_secs_f64())
        });
        let of_ceiling = rate / ceiling;
        println!(
            "| {connections} | {} | {rate:.0} | {of_ceiling:.2} | {p50:.2} | {p99:.2} | {drained} | {memory:.0} |",
            shape.name
        );
    }
}
