//! `waybill erase`: a person asked to be forgotten.

use clap::Args;

use super::{CommandError, attached, configured, print_json, progress, say, table, wait};
use crate::{config::Env, person::Person, store::Table};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Their phone number with its country code, or their e-mail address.
    #[arg(long, value_name = "NUMBER OR ADDRESS")]
    recipient: String,
    /// Only count the rows that tell of them.
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    // The text itself is not repeated: it is what is to be forgotten.
    let unclear = "--recipient: expected a phone number with its country code, or an e-mail address";
    let person = Person::parse(&arguments.recipient).ok_or_else(|| CommandError::Usage(unclear.to_owned()))?;
    let config = configured(env)?;
    let counter = progress::counter();
    let erased = attached(&config.database, config.store, |store| {
        wait(store.erase(&person, arguments.dry_run, |rows| counter.inc(rows)))?.map_err(CommandError::from)
    })?;
    counter.finish_and_clear();
    if arguments.json {
        return print_json(&erased);
    }
    let counts: Vec<(&str, u64)> = erased.iter().map(|erased| (<&str>::from(erased.table), erased.rows)).collect();
    say(table::counts(&counts));
    let bodies = <&str>::from(Table::WebhookBodies);
    say(if arguments.dry_run {
        format!("Nothing is changed. Erasing takes the {bodies} of their messages as well, whoever those tell of.")
    } else {
        "Erased. A callback that comes later can tell of them again; backups and logs of others are theirs to clear.".to_owned()
    });
    Ok(())
}
