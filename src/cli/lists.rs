//! Options that all lists have, and how a page of one is printed for programs.

use std::str::FromStr;

use clap::Args;
use serde_json::json;

use super::{CommandError, print_json, say};
use crate::{
    providers,
    store::{Cursor, Page},
    time::Timestamp,
};

/// Which rows, and how many.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only those of this provider.
    #[arg(long, value_name = "PROVIDER", value_parser = provider)]
    pub(super) service_type: Option<&'static str>,
    /// Only those of this account.
    #[arg(long)]
    pub(super) account: Option<String>,
    /// Only those that came at this instant or later, such as 2026-11-22T00:00:00Z.
    #[arg(long, value_parser = instant)]
    pub(super) since: Option<Timestamp>,
    /// Only those that came before this instant.
    #[arg(long, value_parser = instant)]
    pub(super) until: Option<Timestamp>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    pub(super) limit: i64,
    /// Where the page before ended, as it was printed.
    #[arg(long, value_parser = Cursor::from_str)]
    pub(super) cursor: Option<Cursor>,
    /// Print the page as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Reads an instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected an instant such as 2026-11-22T00:00:00Z".to_owned())
}

fn provider(text: &str) -> Result<&'static str, String> {
    let names = || providers::ALL.map(|spec| spec.name).join(", ");
    providers::find(text).map(|spec| spec.name).ok_or_else(|| format!("expected one of {}", names()))
}

/// A page as the API has it.
pub(super) fn print<T: serde::Serialize>(name: &str, page: &Page<T>) -> Result<(), CommandError> {
    print_json(&json!({ name: page.items, "next_cursor": page.next_cursor }))
}

/// Says how to see what follows.
pub(super) fn tell_next<T>(page: &Page<T>) {
    if let Some(cursor) = &page.next_cursor {
        say(format_args!("More: --cursor {cursor}"));
    }
}
