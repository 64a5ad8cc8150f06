//! What was acknowledged is there after the process was killed (SQLite and Postgres) and after the power went (SQLite).
//!
//! `CRASH_CYCLES=200 POWERLOSS_CYCLES=50 ./test --test crash -- --nocapture` is the long form. `CRASH_SEED` repeats the
//! moments of a run, though not what the threads did meanwhile.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking and prints its figures; the support module serves several binaries"
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
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use support::database::BACKENDS;

fn main() -> ExitCode {
    if committer::is_asked_for() {
        committer::run();
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // One after the other: two of them would share the disk's syncs, and a port that one's killed gateway left could become
    // the other's.
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = BACKENDS.into_iter().map(sigkill::trial).collect();
    trials.push(passing("sigkill checker has teeth", sigkill::checker_has_teeth));
    trials.push(passing("power loss keeps what was acknowledged", power_loss::keeps_what_was_acknowledged));
    trials.push(passing("power loss finds synchronous=NORMAL", power_loss::finds_synchronous_normal));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial that fails by panicking.
fn passing(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}
