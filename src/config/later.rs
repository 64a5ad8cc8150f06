//! Variables of which this version checks the values, so that a configuration stays valid, but has not all of the effect.

use ipnet::IpNet;

use super::{
    DatabaseUrl,
    reader::Reader,
    variables::{self, Variable},
};

/// Whole numbers without effect so far.
const NUMBERS: [&Variable; 7] = [
    &variables::WEBHOOK_RATE_LIMIT,
    &variables::RETENTION_DAYS,
    &variables::EVENT_RETENTION_DAYS,
    &variables::INBOUND_PART_TIMEOUT,
    &variables::UNCONFIRMED_AFTER,
    &variables::SPOOL_MAX_BYTES,
    &variables::TIMESTAMP_MATCHING_WINDOW,
];

pub(super) fn validate(reader: &mut Reader<'_>, database: &DatabaseUrl) {
    for variable in NUMBERS {
        let _number: u64 = reader.parsed(variable, "a whole number");
        warn_if_set(reader, variable);
    }
    let _networks: Vec<IpNet> = reader.list(&variables::TRUSTED_PROXIES, "a comma list of networks such as 10.0.0.0/8");
    warn_if_set(reader, &variables::TRUSTED_PROXIES);
    match reader.env.get(variables::SPOOL_PATH.name) {
        Some(_) => warn_if_set(reader, &variables::SPOOL_PATH),
        None if matches!(database, DatabaseUrl::Postgres(_)) => reader.warning(
            variables::SPOOL_PATH.name,
            "unset: callbacks that come while Postgres is away are answered 503, and not every provider tries again",
        ),
        None => {}
    }
    strategies(reader);
}

fn warn_if_set(reader: &mut Reader<'_>, variable: &Variable) {
    if reader.env.get(variable.name).is_some_and(|given| given != variable.default) {
        reader.warning(variable.name, "has no effect in this version");
    }
}

fn strategies(reader: &mut Reader<'_>) {
    let variable = &variables::MESSAGE_ID_MAPPING_STRATEGY;
    let strategies: Vec<String> = reader.list(variable, "a list of words");
    let is_set = reader.env.is_set(variable.name);
    for strategy in strategies {
        match strategy.as_str() {
            "database" => {}
            "embedded" | "timestamp" if !is_set => {}
            "embedded" | "timestamp" => {
                reader.warning(variable.name, &format!("`{strategy}` sets no message_id in this version; `database` does"));
            }
            _ => reader.problem(variable.name, "a comma list of `database`, `embedded`, `timestamp`"),
        }
    }
}
