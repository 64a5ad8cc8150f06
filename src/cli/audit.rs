//! `waybill audit`: the changes made by hand.

use std::str::FromStr;

use clap::Args;

use super::{CommandError, lists, load_config, print, table, with_store};
use crate::{config::Env, store::Cursor};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Maximum number of entries.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    limit: i64,
    /// The cursor that the previous page printed.
    #[arg(long, value_parser = Cursor::from_str)]
    cursor: Option<Cursor>,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let Arguments { limit, cursor, json } = *arguments;
    let page = with_store(&config.database, config.store, |store| Ok(store.audit_entries(cursor, limit)?))?;
    if json {
        return lists::show_json("entries", &page);
    }
    print(table::audit(&page.items));
    lists::show_next(&page);
    Ok(())
}
