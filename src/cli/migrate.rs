//! `waybill migrate`.

use super::{CommandError, say};
use crate::{config::Config, store};

pub(super) fn run(config: &Config, dry_run: bool) -> Result<(), CommandError> {
    let (names, verb) = if dry_run {
        (store::pending_migrations(&config.database)?, "pending")
    } else {
        (store::migrate(&config.database)?, "applied")
    };
    if names.is_empty() {
        say("nothing to do: every migration is applied");
    }
    for name in names {
        say(format_args!("{verb} {name}"));
    }
    Ok(())
}
