//! A program that commits the way the gateway's writer does, but syncs as it is told: the test binary itself, started again.

use std::{io, path::Path, process::Command};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use crate::{callback, process::Process, support};

const FILE: &str = "COMMITTER_FILE";
const SYNCHRONOUS: &str = "COMMITTER_SYNCHRONOUS";

/// With so few commits the log stays below its automatic checkpoint, which would sync it whatever `synchronous` says.
pub const COMMITS: u64 = 500;
pub const ROWS_PER_COMMIT: u64 = 4;

/// Starts it on a migrated file.
pub fn start(file: &Path, synchronous: &str) -> Process {
    let binary = std::env::current_exe().expect("this binary");
    Process::speaking(Command::new(binary).env(FILE, file).env(SYNCHRONOUS, synchronous))
}

/// Whether this process is to be one.
pub fn is_asked_for() -> bool {
    support::variable(FILE).is_some()
}

/// Commits, says which rows it committed, and then waits for its end.
pub fn run() {
    let variable = |name| support::variable(name).expect("a variable from the test");
    let mut connection = SqliteConnection::establish(&variable(FILE)).expect("a migrated file");
    let synchronous = variable(SYNCHRONOUS);
    let setup = format!("PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 16384");
    connection.batch_execute(&setup).expect("pragmas");
    for commit in 0..COMMITS {
        let numbers = commit * ROWS_PER_COMMIT..(commit + 1) * ROWS_PER_COMMIT;
        let rows: Vec<String> =
            numbers.clone().map(|number| format!("('{}', 'twilio')", callback::external_id(number))).collect();
        let insert = format!("INSERT INTO message_external_ids (external_id, service_type) VALUES {}", rows.join(", "));
        connection.batch_execute(&format!("BEGIN IMMEDIATE; {insert}; COMMIT")).expect("a commit");
        numbers.for_each(|number| println!("{number}"));
    }
    // A connection that is closed in order would write its log back and sync it.
    io::stdin().read_line(&mut String::new()).expect("the test's end of the pipe");
}
