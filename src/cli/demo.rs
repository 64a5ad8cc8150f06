//! `waybill demo`: a newcomer's first minute. The real server, the real signatures, throw-away secrets.

use std::time::Duration;

use super::{CommandError, random, say, sender::Sender, serve, table};
use crate::{
    config::{Config, Env},
    endpoint::Endpoint,
    fixture::Fixture,
    http::{Running, Server},
    provider::SettingKind,
    providers,
    public_url::PublicUrl,
    store::{Counts, MessageFilter},
    time::Clock,
};

pub(super) fn run(env: &Env, exit: bool) -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| CommandError::Other(error.to_string());
    let throw_away = environment(env)?;
    let loaded = Config::load(&throw_away).map_err(|problems| failed(&problems))?;
    crate::telemetry::start(crate::config::LogConfig { level: tracing::Level::ERROR, json: false });
    let running = Server::start(loaded.config, Clock::System)?;
    let fixtures = Fixture::all().map_err(|error| failed(&error))?;
    let sender = Sender::to(&format!("http://{}", running.public));
    let accepted = send_all(&running, &sender, &fixtures)?;
    let forged = forge(&running, &sender, &fixtures)?;
    let page = running.gateway.store.messages(&MessageFilter { limit: 500, ..MessageFilter::default() })?;
    say(table::messages(&page.items));
    let Counts { requests, events, messages, inbound, calls, rooms } = running.gateway.store.counts()?;
    say(format_args!("{accepted}\n{forged}"));
    say(format_args!(
        "Stored       {requests} requests, {events} events, {messages} messages, {inbound} inbound messages, {calls} calls, {rooms} rooms\n"
    ));
    describe(&running, env, &throw_away);
    if exit {
        running.stop();
        Ok(())
    } else {
        say("Serving until Ctrl-C.");
        serve::until_stopped(running, Duration::ZERO)
    }
}

/// The user's database, if one is named; all else is thrown away afterwards.
fn environment(env: &Env) -> Result<Env, CommandError> {
    let failed = |error: &dyn std::fmt::Display| CommandError::Other(error.to_string());
    let database = if let Some(url) = env.get("DATABASE_URL") {
        url.to_owned()
    } else {
        let folder = tempfile::Builder::new().prefix("waybill-demo-").tempdir().map_err(|error| failed(&error))?;
        // Kept, so that the table can be looked at afterwards; the system clears its temporary folder.
        format!("sqlite://{}", folder.keep().join("waybill.db").display())
    };
    let mut variables = vec![("DATABASE_URL".to_owned(), database), ("OPS_TOKEN".to_owned(), hex::encode(random::<32>()?))];
    for name in ["LISTEN", "OPS_LISTEN"] {
        variables.push((name.to_owned(), env.get(name).unwrap_or("127.0.0.1:0").to_owned()));
    }
    for spec in providers::ALL {
        for setting in spec.settings {
            if let SettingKind::Proof { fresh } = setting.kind {
                variables.push((format!("{}_{}", spec.prefix(), setting.name), fresh(&random()?)));
            }
        }
    }
    Ok(variables.into_iter().collect())
}

/// Sends every callback that is meant to be accepted and sums up the answers.
fn send_all(running: &Running, sender: &Sender, fixtures: &[Fixture]) -> Result<String, CommandError> {
    let mut lines = Vec::new();
    for spec in providers::ALL {
        let (mut accepted, mut sent) = (0, 0);
        for fixture in fixtures.iter().filter(|fixture| fixture.spec.name == spec.name && fixture.is_for_everyone()) {
            let endpoint = endpoint(running, fixture)?;
            let status = sender.send(fixture.outgoing(endpoint, running.gateway.clock.now()))?.status;
            sent += 1;
            accepted += usize::from(status == 200);
            if status != 200 {
                return Err(CommandError::Other(format!("{}/{} was answered {status}", spec.name, fixture.name)));
            }
        }
        lines.push(format!("{:<12} {accepted} of {sent} callbacks accepted", spec.title));
    }
    Ok(lines.join("\n"))
}

/// Sends one callback with a signature that is not its own, and looks at every table.
fn forge(running: &Running, sender: &Sender, fixtures: &[Fixture]) -> Result<String, CommandError> {
    let before = running.gateway.store.counts()?;
    let is_signed =
        |fixture: &&Fixture| fixture.is_for_everyone() && fixture.scheme().is_some_and(|scheme| scheme.covers_payload);
    let mut forged: Vec<&Fixture> = fixtures.iter().filter(is_signed).filter(|fixture| !fixture.body.is_empty()).collect();
    forged.dedup_by_key(|fixture| fixture.spec.name);
    for fixture in &forged {
        let mut tampered = fixture.outgoing(endpoint(running, fixture)?, running.gateway.clock.now());
        tampered.body.pop();
        let status = sender.send(tampered)?.status;
        if status != 401 {
            return Err(CommandError::Other(format!("a forged callback was answered {status}")));
        }
    }
    if running.gateway.store.counts()? != before {
        return Err(CommandError::Other("a forged callback changed a table".to_owned()));
    }
    Ok(format!("Forged       {} of {} refused with 401; no table changed", forged.len(), forged.len()))
}

fn endpoint<'r>(running: &'r Running, fixture: &Fixture) -> Result<&'r Endpoint, CommandError> {
    running
        .gateway
        .endpoint(&fixture.spec.default_path())
        .ok_or_else(|| CommandError::Other(format!("{} is off", fixture.spec.title)))
}

fn describe(running: &Running, env: &Env, throw_away: &Env) {
    let Running { public, ops, ops_token, .. } = running;
    let token = ops_token.secret.text();
    say(format_args!("Callbacks   http://{public}"));
    let address = PublicUrl::of_listener(*public);
    for endpoint in running.gateway.endpoints() {
        for url in endpoint.urls_to_paste(&address) {
            // Only here a secret is shown: it is thrown away.
            let filled = |url: String, name: &str| url.replace(&format!("${{{name}}}"), throw_away.get(name).unwrap_or_default());
            let url = throw_away.names().fold(url, filled);
            say(format_args!("  {:<12} {url}", endpoint.spec.title));
        }
    }
    say(format_args!("Health      http://{public}{}", crate::http::HEALTH_PATH));
    say(format_args!("Operations  http://{ops}   token {token}"));
    say(format_args!("  curl -H 'Authorization: Bearer {token}' 'http://{ops}/api/messages?status=bounced'"));
    if let Some(path) = env.get("DATABASE_URL").is_none().then(|| running.gateway.store.file()).flatten() {
        say(format_args!("Database    {}", path.display()));
        say(format_args!("  sqlite3 {} 'SELECT service_type, external_id, status FROM message_external_ids'", path.display()));
    } else {
        say(
            "Database    the one DATABASE_URL names: psql \"$DATABASE_URL\" -c 'SELECT service_type, external_id, status FROM message_external_ids'",
        );
    }
}
