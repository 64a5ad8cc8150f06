//! `waybill requests replay`.

use super::{
    super::{CommandError, author, block_on, load_config, router, with_store},
    selection::{self, Arguments},
};
use crate::{
    config::Env,
    replay::{self, ReplayError},
};

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let (database, options) = (config.database.clone(), config.store.clone());
    let router = router(config);
    with_store(&database, options, |store| {
        selection::process(store, arguments, "replayed", |id| {
            match block_on(replay::replay(store, &router, id, arguments.dry_run, author()))? {
                Ok(replayed) => Ok(Ok(Some(replayed))),
                Err(ReplayError::Store(error)) => Err(error.into()),
                Err(error) => Ok(Err(error.to_string())),
            }
        })
    })
}
