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
    let mut config = load_config(env)?;
    let router = router(&mut config);
    with_store(&config, |store| {
        selection::process(store, arguments, "replayed", |id| {
            match block_on(replay::replay(store, &router, id, arguments.dry_run, author()))? {
                Ok(replayed) => Ok(Ok(Some(replayed))),
                Err(ReplayError::Store(error)) => Err(error.into()),
                Err(error) => Ok(Err(error.to_string())),
            }
        })
    })
}
