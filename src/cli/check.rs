//! `waybill check`: the problems and warnings of the configuration, the URLs to paste at the providers, and the findings about
//! recently rejected callbacks.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{CommandError, attach, print, print_json, spool, table};
use crate::{
    build_info::{BUILD, BuildInfo},
    config::{Config, Env, Finding, Inspected, SecretFile},
    files, providers,
    public_url::PublicUrl,
    queue::{
        QueueOptions, Role,
        broker::{self, Inspection},
    },
    store::{self, RequestFilter, RequestState},
    time::Timestamp,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print `{valid, errors, warnings, urls, findings, secret_files}` as JSON.
    #[arg(long)]
    json: bool,
}

/// The report, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    build: BuildInfo,
    valid: bool,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    urls: Vec<EndpointUrl>,
    findings: Vec<Diagnosis>,
    secret_files: Vec<SecretFile>,
}

/// A finding about recently rejected callbacks of an endpoint.
#[derive(Serialize)]
struct Diagnosis {
    provider: String,
    account: String,
    sentence: String,
    /// The number of these callbacks.
    callbacks: usize,
    last_at: Timestamp,
}

/// The newest rejected callbacks that are examined.
const MAX_REJECTED: i64 = 200;

/// The URL of one route of an endpoint, to paste at its provider.
#[derive(Serialize)]
pub(super) struct EndpointUrl {
    pub(super) provider: &'static str,
    pub(super) account: String,
    pub(super) url: String,
    /// The callbacks that the provider does not sign by default.
    pub(super) unsigned: Option<&'static str>,
    /// False in development only.
    pub(super) verified: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let Inspected { config, problems: mut errors, mut warnings, secret_files } = Config::inspect(env);
    crate::telemetry::start(config.log);
    let mut result = if errors.is_empty() { Ok(()) } else { Err(CommandError::Invalid) };
    // An invalid URL is replaced by the default, which is not the operator's database.
    let has_database = config.queue.role() != Role::Gateway;
    if has_database
        && !errors.iter().any(|error| error.variable.starts_with("DATABASE_URL"))
        && let Err(error) = store::probe(&config.database)
    {
        errors.push(Finding { variable: "DATABASE_URL".to_owned(), sentence: error.to_string() });
        if result.is_ok() {
            result = Err(error.into());
        }
    }
    if let QueueOptions::Broker(broker) = &config.queue {
        let finding = |sentence: String| Finding { variable: "QUEUE_URL".to_owned(), sentence };
        let Inspection { problems, warnings: found } = broker::inspect(broker);
        if let (Ok(()), Some(problem)) = (&result, problems.first()) {
            result = Err(CommandError::Broker(format!("QUEUE_URL: {problem}")));
        }
        errors.extend(problems.into_iter().map(finding));
        warnings.extend(found.into_iter().map(finding));
    }
    warnings.extend(switched_off(&config));
    warnings.extend(open_files(&config));
    let (problems, hints) = spool::findings(&config.queue);
    if !problems.is_empty() && result.is_ok() {
        result = Err(CommandError::Invalid);
    }
    errors.extend(problems);
    warnings.extend(hints);
    // A database that cannot be read was reported above, or is empty.
    let findings = if errors.is_empty() && has_database { findings(&config).unwrap_or_default() } else { Vec::new() };
    let report = Report { build: BUILD, valid: errors.is_empty(), urls: urls(&config), errors, warnings, findings, secret_files };
    if arguments.json {
        print_json(&report)?;
    } else {
        show(&report);
    }
    result
}

/// The providers that are off, with the variables that switch them on. If all are off, the configuration has its own warning.
fn switched_off(config: &Config) -> Vec<Finding> {
    let is_on = |name: &str| config.endpoints.iter().any(|endpoint| endpoint.spec.name == name);
    let off = providers::ALL.iter().filter(|spec| !config.endpoints.is_empty() && !is_on(spec.name));
    off.map(|spec| Finding { variable: spec.proofs().join(", "), sentence: format!("not set, so {} is off", spec.title) })
        .collect()
}

/// The files of the database to which other users have access.
fn open_files(config: &Config) -> Vec<Finding> {
    let open = config.database.files().into_iter().filter(|path| files::is_open(path));
    let sentence =
        |path: PathBuf| format!("{} is open to other users; commands restrict it to its owner when they use it", path.display());
    open.map(|path| Finding { variable: "DATABASE_URL".to_owned(), sentence: sentence(path) }).collect()
}

/// The findings about the newest rejected callbacks, each once. Reads only.
fn findings(config: &Config) -> Result<Vec<Diagnosis>, CommandError> {
    let filter = RequestFilter { state: Some(RequestState::Rejected), limit: MAX_REJECTED, ..RequestFilter::default() };
    let rejected = attach(&config.database, config.store.clone(), |store| Ok(store.requests(&filter)?))?;
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

fn urls(config: &Config) -> Vec<EndpointUrl> {
    let fallback = PublicUrl::from_listener(config.listen);
    let mut urls: Vec<EndpointUrl> = config
        .endpoints
        .iter()
        .flat_map(|endpoint| {
            endpoint.urls_to_paste(&fallback).into_iter().map(|url| EndpointUrl {
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
    print(format_args!("waybill {}", report.build));
    if !report.urls.is_empty() {
        print(table::urls(&report.urls));
    }
    let mut endpoints: Vec<&EndpointUrl> = report.urls.iter().collect();
    endpoints.dedup_by_key(|url| (url.provider, &url.account));
    for url in endpoints {
        let verification = match (url.verified, url.unsigned) {
            (false, _) => "callbacks are not verified".to_owned(),
            (true, None) => "every callback is signed".to_owned(),
            (true, Some(unsigned)) => format!("unsigned by default: {unsigned}"),
        };
        print(format_args!("{}/{}: {verification}", url.provider, url.account));
    }
    for SecretFile { variable, path } in report.secret_files.iter().filter(|_| report.valid) {
        print(format_args!("{variable}: read from {path}"));
    }
    for (kind, findings) in [("warning", &report.warnings), ("error", &report.errors)] {
        for finding in findings {
            print(format_args!("{kind}: {finding}"));
        }
    }
    for Diagnosis { provider, account, sentence, callbacks, last_at } in &report.findings {
        print(format_args!("{provider}/{account}: {callbacks} rejected, the last at {last_at}: {sentence}"));
    }
    if report.valid {
        print("The configuration is valid.");
    }
}
