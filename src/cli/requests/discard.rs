//! `waybill requests discard`.

use super::{
    super::{CommandError, author, block_on, load_config, with_store},
    PENDING,
    selection::{self, Arguments},
};
use crate::{
    config::Env,
    replay::{self, ReplayError},
    store::StoredRequest,
};

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let is_pending = |request: StoredRequest| PENDING.iter().any(|state| request.state == state.as_ref());
    with_store(&config, |store| {
        selection::process(store, arguments, "discarded", |id| {
            if arguments.dry_run {
                let is_pending = store.request(id)?.is_some_and(is_pending);
                return Ok(if is_pending { Ok(None) } else { Err("there is no such request in this state".to_owned()) });
            }
            match block_on(replay::discard(store, id, author()))? {
                Ok(()) => Ok(Ok(None)),
                Err(ReplayError::Store(error)) => Err(error.into()),
                Err(error) => Ok(Err(error.to_string())),
            }
        })
    })
}
