//! Acknowledged callbacks are stored after the process was killed (SQLite and Postgres) and after a power cut (SQLite).
//!
//! `CRASH_CYCLES=200 POWERLOSS_CYCLES=50 ./test --test crash -- --nocapture` is the long form. `CRASH_SEED` repeats the
//! random times of a run, but not the scheduling of its threads. `SPOOL_FAULTS=1` adds runs in which syncs fail, by strace.

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
mod image;
mod ledger;
mod load;
mod power_loss;
mod process;
mod random;
mod sigkill;
mod spool;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::{database::BACKENDS, timing};

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
    trials.push(timing::trial("spool: failed syncs lose nothing", spool::failed_syncs_lose_nothing));
    trials.push(timing::trial("spool: missing sync is detected", spool::missing_sync_is_detected));
    trials.push(timing::trial("spool: lost segment is detected", spool::lost_segment_is_detected));
    trials.push(timing::trial(
        "power loss: acknowledged callbacks survive in the spool",
        spool::acknowledged_callbacks_survive_power_loss,
    ));
    trials.push(timing::trial("sigkill checker detects damage", sigkill::checker_detects_damage));
    trials
        .push(timing::trial("power loss: acknowledged callbacks survive", power_loss::acknowledged_callbacks_survive_power_loss));
    trials.push(timing::trial("power loss: missing sync is detected", power_loss::missing_sync_is_detected));
    libtest_mimic::run(&arguments, trials).exit_code()
}
