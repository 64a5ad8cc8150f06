//! The output of commands.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

use super::CommandError;
use crate::text;

#[expect(clippy::print_stdout, reason = "a command's result belongs on standard output")]
pub(super) fn print(text: impl Display) {
    // Much of it is untrusted input, which must not control the terminal.
    println!("{}", text::without_control(&text.to_string(), |_| "\u{FFFD}".to_owned()));
}

#[expect(clippy::print_stderr, reason = "a command's error belongs on standard error")]
pub(super) fn print_error(error: &dyn Display) {
    eprintln!("waybill: {error}");
}

pub(super) fn print_json(value: &impl Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(value).map_err(|error| CommandError::Other(error.to_string()))?;
    // Control characters are escaped, so that programs read the original text.
    print(text::without_control(&json, |control| format!("\\u{:04x}", u32::from(control))));
    Ok(())
}

/// Prints a file for another program, unchanged.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), CommandError> {
    io::stdout().write_all(bytes).map_err(|error| CommandError::Other(error.to_string()))
}
