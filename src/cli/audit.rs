//! `waybill audit`: the changes made by hand.

use clap::Args;

use super::{CommandError, lists, load_config, print, table, with_store};
use crate::{config::Env, store::AuditFilter};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    range: lists::Range,
    #[command(flatten)]
    page: lists::PageOptions,
}

pub(super) fn run(env: &Env, Arguments { range, page }: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let filter = AuditFilter { since: range.since, until: range.until, cursor: page.cursor, limit: page.limit };
    let entries = with_store(&config, |store| Ok(store.audit_entries(&filter)?))?;
    if page.json {
        return lists::show_json("entries", &entries);
    }
    print(table::audit(&entries.items));
    lists::show_next(&entries);
    Ok(())
}
