//! `waybill messages`: the status table.

use clap::Args;

use super::{CommandError, lists, load_config, print, table, with_store};
use crate::{config::Env, status::Status, store::MessageFilter};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only messages with this status, such as `delivered`.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only messages to this phone number or e-mail address, in any notation.
    #[arg(long)]
    recipient: Option<String>,
    /// Only messages with this provider's id.
    #[arg(long)]
    external_id: Option<String>,
    /// Only messages with this id of the application.
    #[arg(long)]
    message_id: Option<i64>,
    /// Only messages with this reference of the application.
    #[arg(long)]
    reference: Option<String>,
    #[command(flatten)]
    list: lists::Options,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let Arguments { status, recipient, external_id, message_id, reference, list } = arguments;
    let filter = MessageFilter {
        service_type: list.service_type,
        account: list.account.clone(),
        status: *status,
        recipient: recipient.clone(),
        external_id: external_id.clone(),
        message_id: *message_id,
        reference: reference.clone(),
        since: list.range.since,
        until: list.range.until,
        cursor: list.page.cursor,
        limit: list.page.limit,
    };
    let page = with_store(&config, |store| Ok(store.messages(&filter)?))?;
    if list.page.json {
        return lists::show_json("messages", &page);
    }
    print(table::messages(&page.items));
    lists::show_next(&page);
    Ok(())
}

fn status(text: &str) -> Result<Status, String> {
    let names = || <Status as strum::VariantArray>::VARIANTS.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    text.parse().map_err(|_| format!("expected one of {}", names()))
}
