//! The variables of the spool.

use std::path::PathBuf;

use super::{reader::Reader, variables};
use crate::{
    queue::{QueueOptions, SpoolMode, SpoolOptions},
    store::DatabaseUrl,
};

/// A spool of this size holds a few hundred callbacks; a smaller one is a mistake.
const MIN_BYTES: u64 = 1 << 20;

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
