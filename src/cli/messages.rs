//! `waybill messages`: the status table.

use clap::Args;

use super::{CommandError, attached, lists, say, table};
use crate::{address, config::Config, status::Status, store::MessageFilter};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those of this status, such as `delivered`.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only those to this number or address, however it is written.
    #[arg(long)]
    recipient: Option<String>,
    /// Only that of this provider's id.
    #[arg(long)]
    external_id: Option<String>,
    /// Only those of this message of the application.
    #[arg(long)]
    message_id: Option<i64>,
    /// Only those of the application's message with this key.
    #[arg(long)]
    reference: Option<String>,
    #[command(flatten)]
    list: lists::Options,
}

pub(super) fn run(config: &Config, arguments: Arguments) -> Result<(), CommandError> {
    let Arguments { status, recipient, external_id, message_id, reference, list } = arguments;
    let filter = MessageFilter {
        service_type: list.service_type,
        account: list.account,
        status,
        recipient: recipient.map(|recipient| address::any(&recipient)),
        external_id,
        message_id,
        reference,
        since: list.since,
        until: list.until,
        cursor: list.cursor,
        limit: list.limit,
    };
    let page = attached(&config.database, config.store, |store| Ok(store.messages(&filter)?))?;
    if list.json {
        return lists::print("messages", &page);
    }
    say(table::messages(&page.items));
    lists::tell_next(&page);
    Ok(())
}

fn status(text: &str) -> Result<Status, String> {
    let names = || <Status as strum::VariantArray>::VARIANTS.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    text.parse().map_err(|_| format!("expected one of {}", names()))
}
