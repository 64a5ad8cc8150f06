//! `waybill check`: everything that is wrong or odd about the configuration, the URLs to paste at the providers, and why callbacks
//! were refused of late.

use std::process::ExitCode;

use serde::Serialize;

use super::{CONFIGURATION, CommandError, attached, say, table};
use crate::{
    config::{Config, Env, Finding, Inspected},
    providers,
    public_url::PublicUrl,
    store::{self, RequestFilter, RequestState},
    time::Timestamp,
};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    valid: bool,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    urls: Vec<ToPaste>,
    findings: Vec<Diagnosis>,
}

/// Why callbacks of an endpoint were refused of late, and what to change.
#[derive(Serialize)]
struct Diagnosis {
    provider: String,
    account: String,
    sentence: String,
    /// How many of those looked at.
    callbacks: usize,
    last_at: Timestamp,
}

/// Rejected callbacks that are looked at, the newest.
const LOOKED_AT: i64 = 200;

/// One endpoint, and what to paste at its provider.
#[derive(Serialize)]
pub(super) struct ToPaste {
    pub(super) provider: &'static str,
    pub(super) account: String,
    pub(super) url: String,
    /// Which of its callbacks the provider does not sign unless told to.
    pub(super) unsigned: Option<&'static str>,
    /// Whether its callbacks must be genuine; false in development only.
    pub(super) verified: bool,
}

/// The exit code alone says that it failed: what is wrong has been said in full.
pub(super) fn run(env: &Env, json: bool) -> ExitCode {
    let Inspected { config, problems: mut errors, mut warnings } = Config::inspect(env);
    crate::telemetry::start(config.log);
    let mut code = if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CONFIGURATION) };
    // With a wrong URL the default stands in, which nobody asked to look at.
    if !errors.iter().any(|error| error.variable == "DATABASE_URL")
        && let Err(error) = store::probe(&config.database)
    {
        let finding = Finding { variable: "DATABASE_URL".to_owned(), sentence: error.to_string() };
        if errors.is_empty() {
            code = CommandError::from(error).code();
        }
        errors.push(finding);
    }
    warnings.extend(switched_off(&config));
    // A database that cannot be asked has been told of, or there is nothing in it yet.
    let findings = if errors.is_empty() { findings(&config).unwrap_or_default() } else { Vec::new() };
    let report = Report { valid: errors.is_empty(), urls: urls(&config), errors, warnings, findings };
    if json {
        say(serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        show(&report);
    }
    code
}

/// The providers that are off, and what would switch them on. If all are, the configuration says so itself.
fn switched_off(config: &Config) -> Vec<Finding> {
    let is_on = |name: &str| config.endpoints.iter().any(|endpoint| endpoint.spec.name == name);
    let off = providers::ALL.into_iter().filter(|spec| !config.endpoints.is_empty() && !is_on(spec.name));
    off.map(|spec| Finding { variable: spec.proofs().join(", "), sentence: format!("not set, so {} is off", spec.title) })
        .collect()
}

/// What was found out about the callbacks that were refused last, each cause once. Reads only.
fn findings(config: &Config) -> Result<Vec<Diagnosis>, CommandError> {
    let filter = RequestFilter { state: Some(RequestState::Rejected), limit: LOOKED_AT, ..RequestFilter::default() };
    let rejected = attached(&config.database, config.store, |store| Ok(store.requests(&filter)?))?;
    let mut findings: Vec<Diagnosis> = Vec::new();
    for request in rejected.items {
        let Some(sentence) = request.finding else { continue };
        let is_known = |known: &&mut Diagnosis| {
            known.provider == request.service_type && known.account == request.account && known.sentence == sentence
        };
        match findings.iter_mut().find(is_known) {
            Some(known) => known.callbacks += 1,
            None => findings.push(Diagnosis {
                provider: request.service_type,
                account: request.account,
                sentence,
                callbacks: 1,
                last_at: request.received_at,
            }),
        }
    }
    Ok(findings)
}

fn urls(config: &Config) -> Vec<ToPaste> {
    let fallback = PublicUrl::of_listener(config.listen);
    let mut urls: Vec<ToPaste> = config
        .endpoints
        .iter()
        .flat_map(|endpoint| {
            endpoint.urls_to_paste(&fallback).into_iter().map(|url| ToPaste {
                provider: endpoint.spec.name,
                account: endpoint.account.as_str().to_owned(),
                url,
                unsigned: Some(endpoint.spec.unsigned).filter(|unsigned| !unsigned.is_empty()),
                verified: endpoint.unverified.is_none(),
            })
        })
        .collect();
    urls.sort_by(|one, other| (one.provider, &one.account, &one.url).cmp(&(other.provider, &other.account, &other.url)));
    urls
}

fn show(report: &Report) {
    if !report.urls.is_empty() {
        say(table::urls(&report.urls));
    }
    let mut told: Vec<&ToPaste> = report.urls.iter().collect();
    told.dedup_by_key(|url| (url.provider, &url.account));
    for url in told {
        let what = match (url.verified, url.unsigned) {
            (false, _) => "nothing is verified".to_owned(),
            (true, None) => "every callback is signed".to_owned(),
            (true, Some(unsigned)) => format!("unsigned by default: {unsigned}"),
        };
        say(format_args!("{}/{}: {what}", url.provider, url.account));
    }
    for (kind, findings) in [("warning", &report.warnings), ("error", &report.errors)] {
        for finding in findings {
            say(format_args!("{kind}: {finding}"));
        }
    }
    for Diagnosis { provider, account, sentence, callbacks, last_at } in &report.findings {
        say(format_args!("{provider}/{account}: {callbacks} refused, the last at {last_at}: {sentence}"));
    }
    say(if report.valid { "The configuration is valid." } else { "The configuration has errors." });
}
