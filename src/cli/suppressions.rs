//! `waybill suppressions`: recipients to whom no message should be sent.

use clap::Args;
use serde_json::json;
use strum::VariantArray;

use super::{CommandError, block_on, lists, load_config, print, print_json, table, with_store};
use crate::{
    config::Env,
    status::Channel,
    store::{SuppressionFilter, SuppressionPage, SuppressionReason, SuppressionState},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this recipient: a number or address, in any spelling.
    #[arg(long)]
    address: Option<String>,
    /// Only this channel, such as `sms` or `email`.
    #[arg(long, value_parser = one_of::<Channel>)]
    channel: Option<Channel>,
    /// Only this reason, such as `opt_out`.
    #[arg(long, value_parser = one_of::<SuppressionReason>)]
    reason: Option<SuppressionReason>,
    /// Active suppressions, lifted ones, or all.
    #[arg(long, default_value = "active", value_parser = one_of::<SuppressionState>)]
    state: SuppressionState,
    #[command(flatten)]
    list: lists::Options,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let Arguments { address, channel, reason, state, list } = arguments;
    let filter = SuppressionFilter {
        service_type: list.service_type,
        account: list.account.clone(),
        address: address.clone(),
        channel: *channel,
        reason: *reason,
        state: *state,
        since: list.range.since,
        until: list.range.until,
        cursor: list.page.cursor,
        limit: list.page.limit,
    };
    let SuppressionPage { page, unindexed } = with_store(&config, |store| {
        // What cannot be derived now is counted as missing.
        drop(block_on(store.derive_suppressions()));
        Ok(store.suppressions(&filter)?)
    })?;
    if list.page.json {
        let page = json!({ "suppressions": page.items, "next_cursor": page.next_cursor, "unindexed": unindexed });
        return print_json(&page);
    }
    print(table::suppressions(&page.items));
    if unindexed > 0 {
        print(format_args!("{unindexed} newer events and inbound messages may not be covered yet."));
    }
    lists::show_next(&page);
    Ok(())
}

fn one_of<T: VariantArray + AsRef<str> + std::str::FromStr>(text: &str) -> Result<T, String> {
    let names = || T::VARIANTS.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    text.parse().map_err(|_| format!("expected one of {}", names()))
}
