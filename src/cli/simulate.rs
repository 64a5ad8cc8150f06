//! `waybill simulate`: sends correctly signed callbacks to a running gateway.

use std::{collections::BTreeMap, num::NonZero, time::Duration};

use clap::Args;
use tokio::time::MissedTickBehavior;

use super::{CommandError, block_on, print, progress, router, sender::Sender, signed_copies::SignedCopies, table};
use crate::{
    config::{Config, Env},
    endpoint::Endpoint,
    fixture::Fixture,
    providers,
    public_url::PublicUrl,
    router::Router,
    time::Clock,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The provider, such as `twilio`.
    #[arg(required_unless_present = "list")]
    provider: Option<String>,
    /// The event, one of `--list`.
    #[arg(required_unless_present = "list")]
    event: Option<String>,
    /// List the events.
    #[arg(long)]
    list: bool,
    /// The gateway's origin, such as `http://127.0.0.1:8080`. Default: `LISTEN`, if it is a loopback address.
    #[arg(long, value_name = "ORIGIN")]
    to: Option<String>,
    /// The account, as in the URL, whose secrets sign.
    #[arg(long, default_value = "default")]
    account: String,
    /// The number of callbacks.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// Maximum rate; unlimited by default.
    #[arg(long, value_name = "PER SECOND")]
    rate: Option<NonZero<u32>>,
    /// Send the same callback each time instead of new ones.
    #[arg(long)]
    duplicates: bool,
}

impl Arguments {
    /// A list needs no configuration.
    pub(super) fn is_list(&self) -> bool {
        self.list
    }
}

fn list(provider: Option<&str>) -> Result<(), CommandError> {
    let fixtures = Fixture::all().map_err(|error| CommandError::Other(error.to_string()))?;
    let sendable = fixtures.iter().filter(|fixture| fixture.is_sendable());
    let names = sendable.filter(|fixture| provider.is_none_or(|name| name == fixture.spec.name));
    print(table::events(&names.map(|fixture| (fixture.spec.name, fixture.name.as_str())).collect::<Vec<_>>()));
    Ok(())
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let provider = arguments.provider.as_deref().unwrap_or_default();
    if arguments.list {
        return list(arguments.provider.as_deref());
    }
    let event = arguments.event.as_deref().unwrap_or_default();
    let spec = providers::find(provider).ok_or_else(|| CommandError::Usage(format!("unknown provider {provider:?}")))?;
    let fixture = Fixture::find(spec.name, event).filter(Fixture::is_sendable).ok_or_else(|| {
        CommandError::Usage(format!("{provider} has no event {event:?}; see `waybill simulate --list {provider}`"))
    })?;
    let mut config = Config::load(env).map_err(CommandError::Configuration)?.config;
    let origin = origin(arguments.to.as_deref(), &config)?;
    let router = router(&mut config);
    let endpoint = endpoint(&router, spec.name, &arguments.account)?;
    send(&Sender::new(&origin), &SignedCopies::new(&fixture, endpoint, Clock::System.now())?, arguments)
}

/// The origin to send to; only the operator can name another host.
fn origin(to: Option<&str>, config: &Config) -> Result<String, CommandError> {
    match to {
        None if config.listen.ip().is_loopback() && config.listen.port() != 0 => Ok(format!("http://{}", config.listen)),
        None => Err(CommandError::Usage(
            "LISTEN is not a loopback address with a port: set the gateway's origin with --to".to_owned(),
        )),
        Some(to) if to.starts_with("http://") && to.parse::<PublicUrl>().is_ok() => Ok(to.to_owned()),
        Some(_) => Err(CommandError::Usage(
            "--to: expected an origin such as http://127.0.0.1:8080; the gateway's own listener has no TLS".to_owned(),
        )),
    }
}

fn endpoint<'e>(router: &'e Router, provider: &str, account: &str) -> Result<&'e Endpoint, CommandError> {
    let off = || CommandError::Usage(format!("{provider}/{account} is off: no secret is configured for it"));
    router.find(provider, account).ok_or_else(off)
}

/// Sends the callbacks and prints the number of responses by status.
fn send(sender: &Sender, copies: &SignedCopies<'_>, arguments: &Arguments) -> Result<(), CommandError> {
    let is_same = arguments.duplicates || !copies.are_distinct();
    if arguments.count > 1 && !arguments.duplicates && is_same {
        print("This callback has no id, so every copy is a duplicate.");
    }
    let bar = progress::bar(arguments.count);
    let mut responses: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    let interval = arguments.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
    let sent: Result<(), CommandError> = block_on(async {
        let mut pace = (!interval.is_zero()).then(|| {
            let mut pace = tokio::time::interval(interval);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        for _ in 0..arguments.count {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let now = Clock::System.now();
            let outgoing = if is_same { copies.original(now) } else { copies.copy(now)? };
            let reply = sender.send(outgoing)?;
            let (replies, duplicates) = responses.entry(reply.status).or_default();
            *replies += 1;
            *duplicates += u64::from(reply.is_duplicate);
            bar.inc(1);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    for (status, (replies, duplicates)) in &responses {
        let duplicates = if *duplicates > 0 { format!(", {duplicates} of them duplicates") } else { String::new() };
        print(format_args!("{status}: {replies}{duplicates}"));
    }
    sent?;
    if responses.keys().all(|status| (200..300).contains(status)) {
        Ok(())
    } else {
        Err(CommandError::Other("the gateway did not accept every callback".to_owned()))
    }
}
