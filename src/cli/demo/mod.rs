//! `waybill demo`: a newcomer's first minute. The real server, real signatures, throw-away secrets.

mod everything;
mod moved;
mod scenes;
mod story;
mod traffic;

use std::{sync::Arc, time::Duration};

use clap::Args;

use self::{scenes::Scenes, traffic::Tallies};
use super::{CommandError, print, random, sender::Sender, serve};
use crate::{
    config::{Config, Env},
    endpoint::Endpoint,
    fixture::Fixture,
    http::{Running, Server},
    provider::Spec,
    providers,
    router::Router,
    store::DatabaseUrl,
    time::{Clock, ManualClock, Timestamp},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Stop after the story instead of going on serving.
    #[arg(long)]
    exit: bool,
    /// Show every message and every endpoint as well.
    #[arg(long)]
    all: bool,
}

/// A gateway with throw-away secrets, and what sends to it.
struct Demo {
    running: Running,
    router: Arc<Router>,
    sender: Sender,
    /// The gateway's clock: callbacks arrive at times of the last day.
    clock: ManualClock,
}

/// Time from the last callback to now: the page shows it as recent, and no clock is ahead.
const RECENT: i64 = 5;

pub(super) fn run(env: &Env, program: &str, arguments: &Arguments) -> Result<(), CommandError> {
    let throw_away = environment(env)?;
    let config = Config::load(&throw_away).map_err(|problems| failed(&problems))?.config;
    crate::telemetry::start(crate::config::LogConfig { level: tracing::Level::ERROR, json: false });
    let fixtures = Fixture::all().map_err(|error| failed(&error))?;
    let now = Clock::System.now();
    let end = traffic::before(now, RECENT);
    let database = config.database.clone();
    let demo = Demo::start(config, now)?;
    let end_of_it = if arguments.exit { "" } else { " Ctrl-C ends it." };
    print(format_args!("Waybill at http://{}, with throw-away secrets.{end_of_it}", demo.running.public));
    let mut tallies = Tallies::new();
    let (scenes, mut planned) = Scenes::plan(&demo, &fixtures, end)?;
    planned.extend(traffic::recorded(&demo, &fixtures, end)?);
    traffic::send_all(&demo, planned, &mut tallies)?;
    let mut forgeries = traffic::forgeries(&demo, &fixtures, end)?;
    forgeries.push(scenes.forgery(&demo, &fixtures)?);
    traffic::forge(&demo, forgeries, &mut tallies)?;
    demo.clock.release();
    if arguments.all {
        everything::show(&demo)?;
    }
    show(&tallies, &story::lines(&demo, &scenes)?);
    if arguments.all {
        everything::urls(&demo, &throw_away);
    }
    demo.invite(program, &database, env.get("DATABASE_URL").is_some(), &scenes)?;
    if arguments.exit {
        demo.running.stop();
        return Ok(());
    }
    serve::serve_until_signal(demo.running, Duration::ZERO)
}

fn failed(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Other(error.to_string())
}

/// The user's database, if one is named; all else is thrown away afterwards.
fn environment(env: &Env) -> Result<Env, CommandError> {
    let database = if let Some(url) = env.get("DATABASE_URL") {
        url.to_owned()
    } else {
        let folder = tempfile::Builder::new().prefix("waybill-demo-").tempdir().map_err(|error| failed(&error))?;
        // Left there, so that it can be queried afterwards; the system clears its temporary folder.
        format!("sqlite://{}", folder.keep().join("waybill.db").display())
    };
    let mut variables = vec![("DATABASE_URL".to_owned(), database), ("OPS_TOKEN".to_owned(), hex::encode(random::<32>()?))];
    for name in ["LISTEN", "OPS_LISTEN"] {
        variables.push((name.to_owned(), env.get(name).unwrap_or("127.0.0.1:0").to_owned()));
    }
    for spec in providers::ALL {
        variables.extend(spec.generate_variables("_", &random()?));
    }
    Ok(variables.into_iter().collect())
}

/// Shows how many callbacks each provider sent, and the story.
fn show(tallies: &Tallies, story: &[story::Line]) {
    for spec in providers::ALL {
        let Some(traffic::Tally { sent, verified, rejected }) = tallies.get(spec.name) else { continue };
        print(format_args!("{:<13}{sent:>4} callbacks: {verified:>3} verified, {rejected} rejected", spec.title));
    }
    print("");
    for (word, text) in story {
        print(format_args!("{word:<11} {text}"));
    }
    print("");
}

impl Demo {
    fn start(config: Config, now: Timestamp) -> Result<Self, CommandError> {
        let clock = ManualClock::new(now);
        let running = Server::start(config, Clock::Manual(clock.clone()))?;
        let sender = Sender::new(&format!("http://{}", running.public));
        let router = running.gateway.router();
        Ok(Self { running, router, sender, clock })
    }

    /// The provider's endpoint.
    fn endpoint(&self, spec: &Spec) -> Result<&Endpoint, CommandError> {
        let endpoint = self.router.endpoint_at(&spec.default_path());
        endpoint.map(AsRef::as_ref).ok_or_else(|| CommandError::Other(format!("{} is off", spec.title)))
    }

    /// Shows the page's URL, the token, and commands to try.
    fn invite(&self, program: &str, database: &DatabaseUrl, is_named: bool, scenes: &Scenes) -> Result<(), CommandError> {
        let Running { ops, ops_token, gateway, .. } = &self.running;
        let code = gateway.login_link.offer(gateway.clock.now()).map_err(|error| failed(&error))?;
        let token = ops_token.secret.text();
        print(format_args!("Page        http://{ops}/login?code={code}  (logs in once, within 10 minutes)"));
        print(format_args!("Token       {token}"));
        let variables = match database {
            DatabaseUrl::Sqlite(path) if !is_named => format!("DATABASE_URL=sqlite://{} ", path.display()),
            _ => String::new(),
        };
        print(format_args!("Try         curl -H 'Authorization: Bearer {token}' 'http://{ops}/api/messages?status=bounced'"));
        print(format_args!("            {variables}{program} explain {}", scenes.bounced));
        print(format_args!("            {variables}{program} requests list --state rejected"));
        Ok(())
    }
}
