//! One named test per fixture folder, law and database (`twilio/status-sent twice_is_once sqlite`), and one per published
//! vector. A case says what one callback must lead to; the laws say what must hold for every callback.
//! `UPDATE_EXPECT=1` rewrites `expected.json`, for a human to read the difference.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking; the support module serves several binaries"
)]

mod case;
mod laws;
mod proof;
mod recut;
#[path = "../support/mod.rs"]
mod support;
mod vectors;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let trials = vectors::trials().into_iter().chain(laws::trials()).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::database::Database::drop_ready();
    conclusion.exit_code()
}
