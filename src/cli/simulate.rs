//! `waybill simulate`: correctly signed callbacks to a running gateway. The one command that speaks HTTP.

use std::{collections::BTreeMap, num::NonZero, time::Duration};

use clap::Args;
use tokio::time::MissedTickBehavior;

use super::{CommandError, copies::Copies, endpoints, progress, say, sender::Sender, table, wait};
use crate::{
    config::{Config, Env},
    endpoint::Endpoint,
    endpoints::Endpoints,
    fixture::Fixture,
    providers,
    public_url::PublicUrl,
    time::Clock,
};

/// What to send where.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The provider, such as `twilio`.
    #[arg(required_unless_present = "list")]
    provider: Option<String>,
    /// The event, one of `--list`.
    #[arg(required_unless_present = "list")]
    event: Option<String>,
    /// Only show what there is to send.
    #[arg(long)]
    list: bool,
    /// The gateway's origin, such as `http://127.0.0.1:8080`. Without it: `LISTEN`, if that is a loopback address.
    #[arg(long, value_name = "ORIGIN")]
    to: Option<String>,
    /// The account whose secrets sign, as in the URL.
    #[arg(long, default_value = "default")]
    account: String,
    /// How many to send.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// How many a second at the most; without it one after the other.
    #[arg(long, value_name = "PER SECOND")]
    rate: Option<NonZero<u32>>,
    /// Send the same callback each time, instead of a new one.
    #[arg(long)]
    duplicates: bool,
}

impl Arguments {
    /// Whether it needs no configuration.
    pub(super) fn is_list(&self) -> bool {
        self.list
    }
}

/// Shows what there is to send.
fn list(provider: Option<&str>) -> Result<(), CommandError> {
    let fixtures = Fixture::all().map_err(|error| CommandError::Other(error.to_string()))?;
    let sendable = fixtures.iter().filter(|fixture| fixture.is_for_everyone());
    let names = sendable.filter(|fixture| provider.is_none_or(|name| name == fixture.spec.name));
    say(table::events(&names.map(|fixture| (fixture.spec.name, fixture.name.as_str())).collect::<Vec<_>>()));
    Ok(())
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let provider = arguments.provider.as_deref().unwrap_or_default();
    if arguments.list {
        return list(arguments.provider.as_deref());
    }
    let event = arguments.event.as_deref().unwrap_or_default();
    let spec = providers::find(provider).ok_or_else(|| CommandError::Usage(format!("there is no provider {provider:?}")))?;
    let fixture = Fixture::find(spec.name, event).filter(Fixture::is_for_everyone).ok_or_else(|| {
        CommandError::Usage(format!(
            "{provider} has no event {event:?}; `waybill simulate --list {provider}` shows those there are"
        ))
    })?;
    let config = Config::load(env).map_err(CommandError::Configuration)?.config;
    let origin = origin(arguments.to.as_deref(), &config)?;
    let endpoints = endpoints(config);
    let endpoint = endpoint(&endpoints, spec.name, &arguments.account)?;
    send(&Sender::to(&origin), &Copies::of(&fixture, endpoint, Clock::System.now())?, arguments)
}

/// Where to send: never to a host that was not named.
fn origin(to: Option<&str>, config: &Config) -> Result<String, CommandError> {
    match to {
        None if config.listen.ip().is_loopback() && config.listen.port() != 0 => Ok(format!("http://{}", config.listen)),
        None => {
            Err(CommandError::Usage("LISTEN is no loopback address with a port: name the gateway's origin with --to".to_owned()))
        }
        Some(to) if to.starts_with("http://") && to.parse::<PublicUrl>().is_ok() => Ok(to.to_owned()),
        Some(_) => Err(CommandError::Usage(
            "--to: expected an origin such as http://127.0.0.1:8080; a gateway itself speaks plain HTTP".to_owned(),
        )),
    }
}

fn endpoint<'e>(endpoints: &'e Endpoints, provider: &str, account: &str) -> Result<&'e Endpoint, CommandError> {
    let off = || CommandError::Usage(format!("{provider}/{account} is off: this environment has no secret for it"));
    endpoints.find(provider, account).ok_or_else(off)
}

/// Sends all of them and says how they were answered.
fn send(sender: &Sender, copies: &Copies<'_>, arguments: &Arguments) -> Result<(), CommandError> {
    let is_same = arguments.duplicates || !copies.are_new();
    if arguments.count > 1 && !arguments.duplicates && is_same {
        say("This callback has no id of its own: every copy of it is the same one.");
    }
    let bar = progress::bar(arguments.count);
    let mut answers: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    let interval = arguments.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
    let sent: Result<(), CommandError> = wait(async {
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
            let outgoing = if is_same { copies.same(now) } else { copies.next(now)? };
            let reply = sender.send(outgoing)?;
            let (replies, duplicates) = answers.entry(reply.status).or_default();
            *replies += 1;
            *duplicates += u64::from(reply.is_duplicate);
            bar.inc(1);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    for (status, (replies, duplicates)) in &answers {
        let known = if *duplicates > 0 { format!(", {duplicates} of them duplicates") } else { String::new() };
        say(format_args!("{status}: {replies}{known}"));
    }
    sent?;
    if answers.keys().all(|status| (200..300).contains(status)) {
        Ok(())
    } else {
        Err(CommandError::Other("the gateway did not take every callback".to_owned()))
    }
}
