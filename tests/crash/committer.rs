//! A program that commits like the gateway's writer, with a given sync mode: the test binary, started as a child process.

use std::{io, path::Path, process::Command};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use crate::{callback, process::Process, support};

const FILE: &str = "COMMITTER_FILE";
const SYNCHRONOUS: &str = "COMMITTER_SYNCHRONOUS";

/// Few enough that the log stays below its automatic checkpoint, which syncs it in every sync mode.
pub const COMMITS: u64 = 500;
pub const ROWS_PER_COMMIT: u64 = 4;

/// Starts a committer on a migrated file.
pub fn start(file: &Path, synchronous: &str) -> Process {
    let binary = std::env::current_exe().expect("this binary");
    Process::with_piped_output(Command::new(binary).env(FILE, file).env(SYNCHRONOUS, synchronous))
}

/// True if this process is a committer.
pub fn is_requested() -> bool {
    support::variable(FILE).is_some()
}

/// Commits, prints the number of each committed row, and then waits to be killed.
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
    // Closing the connection would write the log back and sync it.
    io::stdin().read_line(&mut String::new()).expect("the test's end of the pipe");
}
