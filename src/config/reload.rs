//! The configuration, read again while the gateway runs.

use std::{collections::BTreeMap, fmt};

use sha2::{Digest, Sha256};

use super::{
    Config, Inspected, Problems, secret_files,
    variables::{self, Variable},
};
use crate::{
    env::{Env, Finding, Findings},
    providers,
};

/// The variables of the gateway that a reload takes over, beside all of the providers. Every other one needs a restart.
pub static RELOADED: [&Variable; 7] = [
    &variables::OPS_TOKEN,
    &variables::OPS_READ_TOKEN,
    &variables::WEBHOOK_BASE_URL,
    &variables::UNKNOWN_MESSAGE_RESPONSE,
    &variables::TRUSTED_PROXIES,
    &variables::CLIENT_IP_HEADER,
    &variables::WEBHOOK_RATE_LIMIT,
];

fn is_reloaded(variable: &Variable) -> bool {
    RELOADED.iter().any(|reloaded| reloaded.name == variable.name)
}

/// The origin of the running configuration.
#[derive(Default)]
pub struct Source {
    env: Env,
    /// The values with which the gateway started, of the variables that need a restart.
    started: Env,
    /// A hash of the value of each variable that a reload takes over.
    taken: BTreeMap<&'static str, [u8; 32]>,
}

/// A changed configuration that the gateway can take over.
pub struct Reread {
    /// With the running values of all that needs a restart.
    pub config: Config,
    pub warnings: Vec<Finding>,
    /// The variables of the gateway that have another value and are taken over.
    pub variables: Vec<&'static str>,
    /// The variables that have another value than at the start and are not taken over.
    pub needs_restart: Vec<&'static str>,
    taken: BTreeMap<&'static str, [u8; 32]>,
}

impl Source {
    /// `values` is the environment with the secrets of its files.
    pub(super) fn new(env: &Env, values: &Env) -> Self {
        let mut started = Env::default();
        for variable in variables::ALL.iter().filter(|variable| !is_reloaded(variable)) {
            copy(variable, values, &mut started);
        }
        Self { env: env.clone(), started, taken: taken(values) }
    }

    /// Reads everything again. The configuration is refused as a whole if it has a problem, and also if no endpoint would be left: a
    /// file that was cut off looks like that.
    pub fn read_again(&self, has_endpoints: bool) -> Result<Reread, Problems> {
        let env = self.env.read_again().map_err(|error| {
            Problems(vec![Finding { variable: error.path().to_owned(), sentence: format!("cannot read it: {}", error.cause()) }])
        })?;
        let mut findings = Findings::default();
        let (values, files) = secret_files::read(&env, &mut findings);
        valid(Config::inspect_values(&values, findings, files.clone()))?;
        let changed =
            |variable: &&&Variable| !is_reloaded(variable) && value(variable, &values) != value(variable, &self.started);
        let needs_restart: Vec<&Variable> = variables::ALL.iter().filter(changed).copied().collect();
        // What is taken over must be valid beside what is not: a token may be required only by the running listener.
        let mut running = values.clone();
        for variable in &needs_restart {
            copy(variable, &self.started, &mut running);
        }
        let Inspected { config, warnings, .. } = valid(Config::inspect_values(&running, Findings::default(), files))?;
        if has_endpoints && config.endpoints.is_empty() {
            let proofs: Vec<String> = providers::ALL.iter().flat_map(|spec| spec.proofs()).collect();
            let sentence = "none is set, so all providers would be off; only a restart switches off all".to_owned();
            return Err(Problems(vec![Finding { variable: proofs.join(", "), sentence }]));
        }
        let taken = taken(&values);
        let variables = RELOADED.iter().map(|variable| variable.name).filter(|name| taken.get(name) != self.taken.get(name));
        let needs_restart = needs_restart.iter().map(|variable| variable.name).collect();
        Ok(Reread { config, warnings, variables: variables.collect(), needs_restart, taken })
    }

    /// Notes that a configuration was taken over.
    pub fn note_taken(&mut self, reread: &Reread) {
        self.taken.clone_from(&reread.taken);
    }
}

fn valid(inspected: Inspected) -> Result<Inspected, Problems> {
    if inspected.problems.is_empty() { Ok(inspected) } else { Err(Problems(inspected.problems)) }
}

fn taken(values: &Env) -> BTreeMap<&'static str, [u8; 32]> {
    RELOADED.iter().map(|variable| (variable.name, Sha256::digest(value(variable, values)).into())).collect()
}

/// The value that takes effect.
fn value<'e>(variable: &Variable, env: &'e Env) -> &'e str {
    env.get(variable.name).unwrap_or(variable.default)
}

fn copy(variable: &Variable, from: &Env, to: &mut Env) {
    drop(to.take(variable.name));
    if let Some(value) = from.get(variable.name) {
        to.set(variable.name, value.to_owned());
    }
}

/// Shows no value, because some are secrets.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").finish_non_exhaustive()
    }
}
