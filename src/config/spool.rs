//! The variables of the spool.

use std::{path::PathBuf, time::Duration};

use super::{reader::Reader, variables};
use crate::{
    endpoint::UnknownMessage,
    queue::{QueueOptions, SpoolMode, SpoolOptions},
    store::DatabaseUrl,
};

/// A spool of this size holds a few hundred callbacks; a smaller one is a mistake.
const MIN_BYTES: u64 = 1 << 20;

/// The database has a second, and the spool half a second for a place in its queue and the time of a commit.
const MIN_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn read(reader: &mut Reader<'_>, database: &DatabaseUrl) -> QueueOptions {
    let mode = reader.parsed(&variables::SPOOL_MODE, "`outage` or `always`");
    let max_bytes = reader.parsed(&variables::SPOOL_MAX_BYTES, "bytes, a whole number");
    let is_postgres = matches!(database, DatabaseUrl::Postgres(_));
    let Some(folder) = reader.env.get(variables::SPOOL_PATH.name).filter(|folder| !folder.is_empty()) else {
        if is_postgres {
            reader.warning(
                variables::SPOOL_PATH.name,
                "unset: callbacks that arrive while Postgres is unavailable are answered 503, and not every provider retries",
            );
        }
        for variable in [&variables::SPOOL_MODE, &variables::SPOOL_MAX_BYTES] {
            if reader.env.is_set(variable.name) {
                reader.warning(variable.name, "has no effect without SPOOL_PATH");
            }
        }
        return QueueOptions::None;
    };
    if max_bytes < MIN_BYTES {
        reader.problem(variables::SPOOL_MAX_BYTES.name, "expected 1048576 (1 MiB) or more");
    }
    if mode == SpoolMode::Outage && !is_postgres {
        reader.warning(
            variables::SPOOL_MODE.name,
            "`outage` is of little use with SQLite, which fails with the disk that holds the spool; `always` absorbs bursts",
        );
    }
    QueueOptions::Spool(SpoolOptions { folder: PathBuf::from(folder), mode, max_bytes })
}

/// Warns of responses that the spool cannot give, or not in time.
pub(super) fn warn_of_responses(
    reader: &mut Reader<'_>,
    queue: &QueueOptions,
    unknown_message: UnknownMessage,
    timeout: Duration,
) {
    let QueueOptions::Spool(options) = queue else { return };
    if options.mode == SpoolMode::Always && unknown_message == UnknownMessage::NotFound {
        reader.warning(
            variables::UNKNOWN_MESSAGE_RESPONSE.name,
            "`not-found` has no effect with SPOOL_MODE=always: the spool does not know which messages are registered, and answers 200",
        );
    }
    if options.mode == SpoolMode::Outage && timeout < MIN_TIMEOUT {
        reader.warning(
            variables::WEBHOOK_TIMEOUT.name,
            "less than 3 seconds may pass before a callback is in the spool, if the database hangs: the first callbacks of an outage would be answered 503",
        );
    }
}
