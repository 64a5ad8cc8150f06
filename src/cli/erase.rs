//! `waybill erase`: erases a person's data.

use clap::Args;

use super::{CommandError, attach, author, block_on, load_config, print, print_error, print_json, progress, spool, table};
use crate::{
    config::Env,
    store::{DataSubject, ErasedRows, Table},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The person's phone number with country code, e-mail address, or id at WhatsApp or Messenger.
    #[arg(long, value_name = "NUMBER OR ADDRESS")]
    recipient: String,
    /// Only count the rows with data of the person.
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    // The value is not repeated in the message, because it is the data to erase.
    let invalid =
        "--recipient: expected a phone number with its country code, an e-mail address, or an id at WhatsApp or Messenger";
    let subject = DataSubject::parse(&arguments.recipient).ok_or_else(|| CommandError::Usage(invalid.to_owned()))?;
    let config = load_config(env)?;
    let counter = progress::counter();
    // Before the erasure: a callback that arrives later can store their data again in any case.
    let undrained = spool::undrained(&config.queue);
    let erased = attach(&config.database, config.store, |store| {
        block_on(store.erase(&subject, arguments.dry_run, author(), |rows| counter.inc(rows)))?.map_err(CommandError::from)
    })?;
    counter.finish_and_clear();
    if arguments.json {
        print_json(&erased)?;
    } else {
        show(&erased, arguments.dry_run);
    }
    if let Some(unseen) = spool::unseen(&config.queue) {
        print_error(&unseen);
    }
    match undrained {
        Some(undrained) if arguments.dry_run => print_error(&undrained),
        Some(undrained) => return Err(CommandError::Undrained(undrained)),
        None => {}
    }
    Ok(())
}

fn show(erased: &[ErasedRows], dry_run: bool) {
    let counts: Vec<(&str, u64)> = erased.iter().map(|erased| (<&str>::from(erased.table), erased.rows)).collect();
    print(table::counts(&counts));
    let bodies = <&str>::from(Table::WebhookBodies);
    print(if dry_run {
        format!(
            "Nothing was changed. Erasing also deletes the {bodies} of their messages, including other people's data in them."
        )
    } else {
        "Erased. A later callback can store their data again; clear backups and external logs separately.".to_owned()
    });
}
