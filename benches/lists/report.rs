//! A Markdown table with a row per list and filter, and the times of each database.

use std::time::Duration;

use crate::machine;

/// The times of one list's pages.
struct Times {
    pages: usize,
    rows: usize,
    /// In milliseconds.
    p50: f64,
    p99: f64,
}

/// All lists, in the order of measurement.
#[derive(Default)]
pub struct Report {
    databases: Vec<&'static str>,
    lines: Vec<(String, Vec<Times>)>,
}

impl Report {
    /// Assigns the following measurements to a database.
    pub fn add_database(&mut self, database: &'static str) {
        self.databases.push(database);
    }

    pub fn add(&mut self, name: &str, mut times: Vec<Duration>, rows: usize) {
        times.sort_unstable();
        let percentile = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        let measured = Times { pages: times.len(), rows, p50: percentile(50), p99: percentile(99) };
        eprintln!("{name}: {rows} rows in {} pages, p50 {:.1} ms, p99 {:.1} ms", measured.pages, measured.p50, measured.p99);
        match self.lines.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => all.push(measured),
            None => self.lines.push((name.to_owned(), vec![measured])),
        }
    }

    pub fn print(&self, messages: usize) {
        println!("{messages} messages, as many requests and events; {}\n", machine::description());
        print!("| list |");
        self.databases.iter().for_each(|database| print!(" {database}: rows / pages | p50 ms | p99 ms |"));
        println!("\n| --- |{}", " --- | --- | --- |".repeat(self.databases.len()));
        for (name, all) in &self.lines {
            print!("| {name} |");
            for Times { pages, rows, p50, p99 } in all {
                print!(" {rows} / {pages} | {p50:.1} | {p99:.1} |");
            }
            println!();
        }
    }
}
