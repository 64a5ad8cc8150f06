//! Acknowledged callbacks are stored after the process was killed (SQLite and Postgres), after Postgres crashed, and after a power cut
//! (SQLite).
//!
//! `CRASH_CYCLES=200 POWERLOSS_CYCLES=50 POSTGRES_CYCLES=30 ./test --test crash -- --nocapture` is the long form. `CRASH_SEED` repeats
//! the random times of a run, but not the scheduling of its threads. `SYNC_FAULTS=1` adds runs in which syncs fail, by strace.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking and prints its results; the support module serves several binaries"
)]

mod callback;
mod checker;
mod committer;
mod faults;
mod image;
mod ledger;
mod load;
mod postgres;
mod power_loss;
mod process;
mod random;
mod sigkill;
mod spool;
mod store_faults;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::{database::BACKENDS, timing};

/// Names and what they run.
const TRIALS: [(&str, fn()); 12] = [
    ("postgres: acknowledged callbacks survive its crash", postgres::acknowledged_callbacks_survive_its_crash),
    ("postgres: asynchronous commits are detected", postgres::asynchronous_commits_are_detected),
    ("store: failed syncs of the log lose nothing", store_faults::failed_syncs_of_the_log_lose_nothing),
    ("store: failed syncs of the file lose nothing", store_faults::failed_syncs_of_the_file_lose_nothing),
    ("store: missing sync is detected", store_faults::missing_sync_is_detected),
    ("spool: failed syncs lose nothing", spool::failed_syncs_lose_nothing),
    ("spool: missing sync is detected", spool::missing_sync_is_detected),
    ("spool: lost segment is detected", spool::lost_segment_is_detected),
    ("power loss: acknowledged callbacks survive in the spool", spool::acknowledged_callbacks_survive_power_loss),
    ("sigkill checker detects damage", sigkill::checker_detects_damage),
    ("power loss: acknowledged callbacks survive", power_loss::acknowledged_callbacks_survive_power_loss),
    ("power loss: missing sync is detected", power_loss::missing_sync_is_detected),
];

fn main() -> ExitCode {
    if committer::is_requested() {
        committer::run();
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // One at a time: concurrent tests would share the disk's syncs, and one could get the port of the other's killed gateway.
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = BACKENDS.into_iter().map(sigkill::trial).collect();
    trials.extend(BACKENDS.into_iter().map(spool::trial));
    trials.extend(TRIALS.map(|(name, run)| timing::trial(name, run)));
    libtest_mimic::run(&arguments, trials).exit_code()
}
