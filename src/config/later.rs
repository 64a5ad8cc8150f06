//! Variables of which this version checks the values, so that a configuration stays valid, but has not all of the effect.

use super::{
    DatabaseUrl,
    reader::Reader,
    variables::{self, Variable},
};

pub(super) fn validate(reader: &mut Reader<'_>, database: &DatabaseUrl) {
    let _number: u64 = reader.parsed(&variables::SPOOL_MAX_BYTES, "a whole number");
    warn_if_set(reader, &variables::SPOOL_MAX_BYTES);
    match reader.env.get(variables::SPOOL_PATH.name) {
        Some(_) => warn_if_set(reader, &variables::SPOOL_PATH),
        None if matches!(database, DatabaseUrl::Postgres(_)) => reader.warning(
            variables::SPOOL_PATH.name,
            "unset: callbacks that come while Postgres is away are answered 503, and not every provider tries again",
        ),
        None => {}
    }
}

fn warn_if_set(reader: &mut Reader<'_>, variable: &Variable) {
    if reader.env.get(variable.name).is_some_and(|given| given != variable.default) {
        reader.warning(variable.name, "has no effect in this version");
    }
}
