//! The shapes of a deployment under test, and their processes.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use rustix::process::{Pid, Signal, kill_process};
use waybill::store::{DatabaseUrl, Options, Store, migrate};

use crate::{machine, variable};

type Variables = Vec<(&'static str, String)>;

/// A deployment of one or more processes.
pub struct Shape {
    pub name: String,
    /// The variables of each process; none for the ceiling.
    processes: Vec<Variables>,
    database: Database,
}

#[derive(Clone)]
enum Database {
    None,
    Sqlite,
    Postgres(String),
}

impl Database {
    /// The URL of an empty database for one run: each sends the same callbacks.
    fn url(&self, folder: &Path) -> Option<String> {
        match self {
            Self::None => None,
            Self::Sqlite => Some(format!("sqlite://{}", folder.join("bench.db").display())),
            Self::Postgres(server) => {
                execute(server, &format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"));
                let separator = if server.contains('?') { '&' } else { '?' };
                Some(format!("{server}{separator}options=-csearch_path%3D{SCHEMA}"))
            }
        }
    }
}

/// The schema of a run in the Postgres database.
const SCHEMA: &str = "waybill_burst";

fn execute(server: &str, statements: &str) {
    PgConnection::establish(server).expect("a connection").batch_execute(statements).expect("statements");
}

impl Shape {
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self { name: "ceiling".to_owned(), processes: Vec::new(), database: Database::None }];
        let postgres = variable("BENCH_DATABASE_URL").map(Database::Postgres);
        for (scheme, database) in [("sqlite", Some(Database::Sqlite)), ("postgres", postgres.clone())] {
            let Some(database) = database else { continue };
            let one = |kind: &str, variables: Variables| Self {
                name: format!("{kind} {scheme}"),
                processes: vec![variables],
                database: database.clone(),
            };
            all.push(one("direct", Vec::new()));
            all.push(one("spool", vec![("SPOOL_MODE", "always".to_owned())]));
        }
        if let (Some(queue), Some(database)) = (variable("BENCH_QUEUE_URL"), postgres) {
            for (gateways, writers) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                let process = |role: &str| vec![("QUEUE_URL", queue.clone()), ("WAYBILL_ROLE", role.to_owned())];
                let processes =
                    (0..gateways).map(|_| process("gateway")).chain((0..writers).map(|_| process("writer"))).collect();
                all.push(Self { name: format!("broker {gateways}x{writers}"), processes, database: database.clone() });
            }
        }
        all
    }

    /// The ceiling always runs, because the others are compared with it.
    pub fn is_selected(&self, prefixes: &[String]) -> bool {
        self.processes.is_empty() || prefixes.is_empty() || prefixes.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

/// True if a gateway says that it takes callbacks.
fn is_ready(ops: SocketAddr) -> bool {
    let Ok(mut connection) = TcpStream::connect(ops) else { return false };
    let mut response = String::new();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {ops}\r\nConnection: close\r\n\r\n");
    let outcome = connection.write_all(request.as_bytes()).and_then(|()| connection.read_to_string(&mut response));
    outcome.is_ok() && response.starts_with("HTTP/1.1 200")
}

/// The processes of a shape.
pub struct Running {
    processes: Vec<Child>,
    /// Those that take callbacks.
    pub addresses: Vec<SocketAddr>,
    database: Option<DatabaseUrl>,
    /// Requests that were in the database before.
    rows_before: u64,
}

impl Running {
    pub fn start(shape: &Shape, folder: &Path) -> Self {
        let url = shape.database.url(folder);
        let database: Option<DatabaseUrl> = url.as_ref().map(|url| url.parse().expect("a URL"));
        if let Some(url) = &database {
            migrate(url).expect("migrations");
        }
        let mut running = Self { processes: Vec::new(), addresses: Vec::new(), database, rows_before: 0 };
        running.rows_before = running.rows().unwrap_or_default();
        if shape.processes.is_empty() {
            running.start_ceiling();
        }
        // A stream of its own: one that has had the same callbacks drops them.
        let name = folder.file_name().and_then(OsStr::to_str).expect("a name");
        let stream = format!("burst-{}", name.trim_start_matches('.'));
        for (index, variables) in shape.processes.iter().enumerate() {
            let mut variables = variables.clone();
            if variables.iter().any(|(name, _)| *name == "QUEUE_URL") {
                variables.push(("WAYBILL_STREAM", stream.clone()));
            }
            running.start_gateway(&variables, url.as_deref().unwrap_or_default(), &folder.join(format!("{index}")));
        }
        running
    }

    fn start_ceiling(&mut self) {
        let mut command = Command::new(std::env::current_exe().expect("this executable"));
        // It serves until its input is closed.
        command.env("BENCH_SERVE", "ceiling").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        self.addresses.push(line.trim().parse().expect("an address"));
        self.processes.push(process);
    }

    fn start_gateway(&mut self, variables: &Variables, database: &str, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder");
        let port = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let (public, ops) = (port(), port());
        let spool = folder.join("spool");
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command
            .arg("serve")
            .current_dir(folder)
            .env("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35")
            .env("WEBHOOK_BASE_URL", "https://hooks.example.com")
            .env("LISTEN", public.to_string())
            .env("OPS_LISTEN", ops.to_string())
            .env("OPS_TOKEN", "bench-token-0123456789")
            .env("WEBHOOK_LOG_LEVEL", "ERROR")
            .env("SHUTDOWN_DELAY", "0")
            .envs(variables.iter().cloned());
        let role = variables.iter().find(|(name, _)| *name == "WAYBILL_ROLE").map(|(_, role)| role.as_str());
        if role != Some("gateway") {
            command.env("DATABASE_URL", database);
        }
        if variables.iter().any(|(name, _)| *name == "SPOOL_MODE") {
            command.env("SPOOL_PATH", &spool);
        }
        self.processes.push(command.spawn().expect("a process"));
        let started = Instant::now();
        while !is_ready(ops) {
            assert!(started.elapsed() < Duration::from_secs(20), "the gateway is not ready");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        if role != Some("writer") {
            self.addresses.push(public);
        }
    }

    /// Requests of this run that are in the database; `None` without one.
    pub fn rows(&self) -> Option<u64> {
        let store = Store::attach(self.database.as_ref()?, Options::default()).expect("a store");
        let requests = store.counts().expect("counts").requests;
        store.close();
        Some(u64::try_from(requests).expect("a count") - self.rows_before)
    }

    pub fn wait_for_rows(&self, count: u64, timeout: Duration) {
        let started = Instant::now();
        while let Some(rows) = self.rows() {
            assert!(rows <= count, "{rows} rows of {count} requests");
            if rows == count {
                break;
            }
            assert!(started.elapsed() < timeout, "{rows} of {count} requests are in the database");
            std::thread::park_timeout(Duration::from_millis(300));
        }
    }

    pub fn peak_memory(&self) -> f64 {
        self.processes.iter().map(|process| machine::peak_memory(process.id())).sum()
    }

    pub fn stop(self) {
        for mut process in self.processes {
            drop(process.stdin.take());
            let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process id");
            kill_process(id, Signal::TERM).expect("a running process");
            process.wait().expect("an exit status");
        }
    }
}
