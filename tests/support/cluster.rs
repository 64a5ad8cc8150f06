//! A private Postgres cluster whose processes can be stopped, killed and frozen. `TEST_DATABASE_URL` names one that other tests use.
//!
//! It listens at a Unix socket in its folder and does not sync: a crash of its processes loses nothing, because the system keeps
//! what they wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_types::Text};

use super::poll::wait_until;

/// The data folder of a new cluster, made once for each test binary and then copied.
static TEMPLATE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = folder();
    let data = folder.path().join("data").display().to_string();
    let arguments = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--wal-segsize=1"];
    succeed(&mut as_postgres("initdb", &arguments));
    folder
});

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

pub struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        super::timing::start();
        let cluster = Self { folder: folder() };
        let (template, data) = (TEMPLATE.path().join("data").display().to_string(), cluster.data().display().to_string());
        succeed(Command::new("cp").args(["-a", &template, &data]));
        cluster.run();
        cluster
    }

    /// The value of `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The same for another of its databases.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}", self.folder.path().display())
    }

    /// Its socket, which exists while it runs.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Starts its processes and waits until it accepts connections.
    pub fn run(&self) {
        // Left by killed processes, whose ids exist until their parent has waited for them.
        for file in [self.data().join("postmaster.pid"), self.socket().with_extension("5432.lock")] {
            drop(fs::remove_file(file));
        }
        let (data, folder) = (self.data().display().to_string(), self.folder.path().display().to_string());
        let settings = format!(
            "-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=50 -c autovacuum=off"
        );
        let log = format!("{folder}/log");
        succeed(&mut as_postgres("pg_ctl", &["-D", &data, "-l", &log, "-s", "-W", "-o", &settings, "start"]));
        wait_until("the cluster to accept connections", || PgConnection::establish(&self.url()).is_ok());
    }

    /// Ends all connections at once and stops its processes.
    pub fn stop(&self) {
        let data = self.data().display().to_string();
        succeed(&mut as_postgres("pg_ctl", &["-D", &data, "-s", "-m", "immediate", "stop"]));
    }

    /// Kills its processes.
    pub fn kill(&self) {
        let processes = self.processes();
        signal("KILL", &processes);
        wait_until("killed processes to end", || processes.iter().all(|process| !is_running(*process)));
    }

    /// Stops the execution of its processes: connections stay open and are not answered.
    pub fn freeze(&self) {
        // The first one starts the others.
        let processes = self.processes();
        signal("STOP", &processes);
        let started_meanwhile: Vec<u32> = self.processes().into_iter().filter(|process| !processes.contains(process)).collect();
        signal("STOP", &started_meanwhile);
    }

    /// Continues the execution of its processes.
    pub fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    /// Runs statements on a connection of their own.
    pub fn execute(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// The values of a query's column `row`.
    pub fn query(&self, sql: &str) -> Vec<String> {
        query(&mut self.connect(), sql)
    }

    /// The same in another of its databases.
    pub fn query_in(&self, database: &str, sql: &str) -> Vec<String> {
        query(&mut PgConnection::establish(&self.url_of(database)).expect("a database"), sql)
    }

    pub fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("a running cluster")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its processes, the first of which is the parent of the others.
    fn processes(&self) -> Vec<u32> {
        let Ok(file) = fs::read_to_string(self.data().join("postmaster.pid")) else { return Vec::new() };
        let first: u32 = file.lines().next().and_then(|line| line.parse().ok()).expect("the id of a process");
        let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
        let others = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        [first].into_iter().chain(others.filter(|process| parent(*process) == Some(first))).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let processes = self.processes();
        if !processes.is_empty() {
            signal("KILL", &processes);
        }
    }
}

fn query(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "tests inspect tables without the store")]
    let query = diesel::sql_query(sql);
    let rows: Vec<Row> = query.load(connection).unwrap_or_else(|error| panic!("{error}: {sql}"));
    rows.into_iter().map(|row| row.row).collect()
}

/// A folder for the user of the cluster.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if is_root() {
        succeed(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    succeed(Command::new("chmod").arg("755").arg(folder.path()));
    folder
}

/// A program of Postgres, which refuses to run as root.
fn as_postgres(program: &str, arguments: &[&str]) -> Command {
    let program = BIN.join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments).current_dir("/");
    command
}

/// The folder of the programs of Postgres.
static BIN: LazyLock<PathBuf> = LazyLock::new(|| {
    let versions = |parent: &str, bin: fn(&Path) -> PathBuf| {
        let folders = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok).map(move |entry| bin(&entry.path()));
        folders.filter(|folder| folder.join("initdb").exists()).collect::<Vec<_>>()
    };
    let mut folders = versions("/usr/lib/postgresql", |version| version.join("bin"));
    folders.extend(versions("/usr", |package| package.join("bin")));
    let path = super::variable("PATH").unwrap_or_default();
    folders.extend(path.split(':').map(PathBuf::from).filter(|folder| folder.join("initdb").exists()));
    folders.into_iter().next().expect("PostgreSQL's programs: `./test` installs them")
});

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").expect("/proc")) == 0
}

fn succeed(command: &mut Command) {
    // A daemon would keep a pipe open.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn signal(name: &str, processes: &[u32]) {
    if !processes.is_empty() {
        let ids = processes.iter().map(u32::to_string);
        let kill = Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status();
        // It fails if one of them has ended meanwhile.
        kill.expect("kill");
    }
}

/// The state of a process and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it can hold anything.
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}

fn parent(process: u32) -> Option<u32> {
    state(process).map(|(_, parent)| parent)
}

fn is_running(process: u32) -> bool {
    state(process).is_some_and(|(state, _)| state != 'Z')
}
