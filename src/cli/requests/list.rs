//! `waybill requests list`.

use clap::Args;

use super::super::{CommandError, lists, load_config, print, table, with_store};
use crate::{
    config::Env,
    store::{RequestFilter, RequestState},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only requests in this state: `quarantined`, `rejected`, `discarded` or `processed`.
    #[arg(long, default_value = "quarantined", value_parser = state)]
    state: RequestState,
    #[command(flatten)]
    list: lists::Options,
}

pub(super) fn run(env: &Env, Arguments { state, list }: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let filter = RequestFilter {
        state: Some(*state),
        service_type: list.service_type,
        account: list.account.clone(),
        since: list.range.since,
        until: list.range.until,
        cursor: list.page.cursor,
        limit: list.page.limit,
    };
    let page = with_store(&config, |store| Ok(store.requests(&filter)?))?;
    if list.page.json {
        return lists::show_json("requests", &page);
    }
    print(table::requests(&page.items));
    lists::show_next(&page);
    Ok(())
}

fn state(text: &str) -> Result<RequestState, String> {
    text.parse().map_err(|_| "expected quarantined, rejected, discarded or processed".to_owned())
}
