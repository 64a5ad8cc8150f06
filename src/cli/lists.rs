//! The options and the output that all lists share.

use std::str::FromStr;

use clap::Args;
use serde_json::json;

use super::{CommandError, print, print_json};
use crate::{
    providers,
    store::{Cursor, Page},
    time::{Clock, Timestamp},
};

/// The options of a list.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only rows of this provider.
    #[arg(long, value_name = "PROVIDER", value_parser = provider)]
    pub(super) service_type: Option<&'static str>,
    /// Only rows of this account.
    #[arg(long)]
    pub(super) account: Option<String>,
    #[command(flatten)]
    pub(super) range: Range,
    #[command(flatten)]
    pub(super) page: PageOptions,
}

/// The options that select by time.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Range {
    /// Only rows received at this time or later: 2026-11-22T00:00:00Z, or 90m, 24h or 7d ago.
    #[arg(long, value_parser = instant)]
    pub(super) since: Option<Timestamp>,
    /// Only rows received before this time.
    #[arg(long, value_parser = instant)]
    pub(super) until: Option<Timestamp>,
}

/// The options that select a page, and its form.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PageOptions {
    /// Maximum number of rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    pub(super) limit: i64,
    /// The cursor that the previous page printed.
    #[arg(long, value_parser = Cursor::from_str)]
    pub(super) cursor: Option<Cursor>,
    /// Print the page as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Parses an option's time.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let expected = || "expected a time such as 2026-11-22T00:00:00Z, or 24h or 7d for a time ago".to_owned();
    Timestamp::parse_or_ago(text, Clock::System.now()).ok_or_else(expected)
}

fn provider(text: &str) -> Result<&'static str, String> {
    let names = || providers::ALL.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
    providers::find(text).map(|spec| spec.name).ok_or_else(|| format!("expected one of {}", names()))
}

/// Prints a page as JSON, in the API's form.
pub(super) fn show_json<T: serde::Serialize>(name: &str, page: &Page<T>) -> Result<(), CommandError> {
    print_json(&json!({ name: page.items, "next_cursor": page.next_cursor }))
}

/// Prints the cursor of the next page.
pub(super) fn show_next<T>(page: &Page<T>) {
    if let Some(cursor) = &page.next_cursor {
        print(format_args!("More: --cursor {cursor}"));
    }
}
