//! One named test per fixture folder, law and database (`twilio/status-sent duplicate_changes_nothing sqlite`), and one per published
//! vector. A case holds one callback and the response and rows it leads to; a law holds for every callback.
//! `UPDATE_EXPECT=1` rewrites `expected.json`; review the difference.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking; the support module serves several binaries"
)]

mod case;
mod forgery;
mod laws;
mod pool;
mod proof;
mod reencoded;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod vectors;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let trials = vectors::trials().into_iter().chain(upgrade::trials()).chain(laws::trials()).chain(forgery::trials()).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    pool::stop_idle();
    support::database::Database::drop_ready();
    conclusion.exit_code()
}
