//! `waybill requests discard`.

use super::{
    super::{CommandError, author, block_on, load_config, with_store},
    PENDING,
    selection::{self, Arguments},
};
use crate::{config::Env, replay, store::StoredRequest};

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let is_pending = |request: StoredRequest| PENDING.iter().any(|state| request.state == state.as_ref());
    with_store(&config.database, config.store, |store| {
        selection::process(store, arguments, "discarded", |id| {
            let is_done = if arguments.dry_run {
                store.request(id)?.is_some_and(is_pending)
            } else {
                block_on(replay::discard(store, id, author()))??
            };
            Ok(if is_done { Ok(None) } else { Err("there is no such request in this state".to_owned()) })
        })
    })
}
