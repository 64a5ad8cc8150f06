//! The results as a Markdown table and charts.

use std::collections::BTreeMap;

use crate::{CONNECTIONS, machine};

/// The result of one round.
pub struct Measurement {
    pub per_second: f64,
    /// p50, p99 and p99.9 in milliseconds.
    pub percentiles: [f64; 3],
    /// CPU time per request in microseconds, of the server and of Postgres.
    pub server: f64,
    pub database: f64,
    /// In MiB.
    pub memory: f64,
}

/// All rounds.
#[derive(Default)]
pub struct Report {
    names: Vec<String>,
    /// The round with the median rate, by number of connections and server.
    medians: BTreeMap<(usize, String), Measurement>,
    totals: Vec<String>,
}

impl Report {
    pub fn add(&mut self, name: &str, connections: usize, mut rounds: Vec<Measurement>) {
        rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
        let median = rounds.swap_remove(rounds.len() / 2);
        eprintln!("{name}, connections: {connections}: {:.0} requests/s", median.per_second);
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        self.medians.insert((connections, name.to_owned()), median);
    }

    pub fn add_totals(&mut self, name: &str, acknowledged: u64, rows: Option<u64>) {
        let rows = rows.map_or("stores nothing".to_owned(), |rows| format!("{rows} rows"));
        self.totals.push(format!("{name}: {acknowledged} acknowledged, {rows}"));
    }

    pub fn print(&self) {
        println!("\n{}\n", machine::description());
        println!(
            "| connections | server | requests/s | of the ceiling | of naive | p50 ms | p99 ms | p99.9 ms | CPU µs/request | memory MiB |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for connections in CONNECTIONS {
            self.names.iter().for_each(|name| self.line(connections, name));
        }
        println!("\n{}\n", self.totals.join("; "));
        for connections in CONNECTIONS {
            self.plot(connections);
        }
    }

    fn rate(&self, connections: usize, name: &str) -> Option<f64> {
        self.medians.get(&(connections, name.to_owned())).map(|figures| figures.per_second)
    }

    fn line(&self, connections: usize, name: &str) {
        let Some(figures) = self.medians.get(&(connections, name.to_owned())) else { return };
        let [p50, p99, p999] = figures.percentiles;
        let ratio = |rate: Option<f64>| rate.map_or(String::new(), |rate| format!("{:.2}", figures.per_second / rate));
        let ceiling = ratio(self.rate(connections, "ceiling"));
        // Compared with the naive design on the same database.
        let database = name.split_once(' ').map_or("", |(_, database)| database);
        let naive = ratio(self.rate(connections, &format!("naive {database}")));
        let cpu_time = match figures.database {
            0.0 => format!("{:.0}", figures.server),
            database => format!("{:.0} + {database:.0}", figures.server),
        };
        println!(
            "| {connections} | {name} | {:.0} | {ceiling} | {naive} | {p50:.2} | {p99:.2} | {p999:.2} | {cpu_time} | {:.0} |",
            figures.per_second, figures.memory
        );
    }

    fn plot(&self, connections: usize) {
        let names: Vec<String> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
        let rates: Vec<String> =
            self.names.iter().map(|name| format!("{:.0}", self.rate(connections, name).unwrap_or_default())).collect();
        println!("```mermaid\nxychart-beta\n    title \"Requests per second, connections: {connections}\"");
        println!("    x-axis [{}]\n    bar [{}]\n```\n", names.join(", "), rates.join(", "));
    }
}
