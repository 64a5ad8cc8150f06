//! `waybill reload`: the running gateway reads its configuration again.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::{CommandError, load_config, print, print_json};
use crate::{
    config::{Config, Env, Finding, Problems},
    ops_token::OpsToken,
};

/// Longer than the gateway waits for its database.
const TIMEOUT: Duration = Duration::from_secs(30);

const MAX_RESPONSE_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Origin of the operations listener. Default: `http://` and `OPS_LISTEN`.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Print the gateway's response as JSON.
    #[arg(long)]
    json: bool,
}

/// Checks the configuration that this process reads, and asks the gateway to read its own again.
pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let origin = arguments.to.clone().unwrap_or_else(|| format!("http://{}", reachable(config.ops_listen)));
    let (status, body) = post(&origin, &token(&config)?, arguments.dry_run)?;
    match status {
        200 if arguments.json => print_json(&body),
        200 => {
            show(&body);
            Ok(())
        }
        422 => Err(CommandError::Configuration(problems(&body))),
        401 => Err(CommandError::Other(
            "the gateway has another OPS_TOKEN. To replace the token, reload by a signal: `systemctl reload waybill`, or `kill -HUP`"
                .to_owned(),
        )),
        _ => Err(unexpected(status)),
    }
}

fn unexpected(status: u16) -> CommandError {
    CommandError::Other(format!("the gateway answered {status}: is it the operations listener of this version?"))
}

/// An address at which this machine reaches a listener.
fn reachable(listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listener.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listener.port()),
        _ => listener,
    }
}

fn token(config: &Config) -> Result<String, CommandError> {
    let token = OpsToken::obtain(config.ops_token.clone(), &config.database);
    token.map(|token| token.secret.text().to_owned()).map_err(|error| CommandError::Other(format!("OPS_TOKEN: {error}")))
}

fn post(origin: &str, token: &str, dry_run: bool) -> Result<(u16, Value), CommandError> {
    let failed = |error: ureq::Error| match error {
        ureq::Error::Io(error) => CommandError::Other(format!("cannot call the gateway at {origin}: {}", error.kind())),
        ureq::Error::Timeout(_) => CommandError::Other("the gateway did not respond in time".to_owned()),
        _ => CommandError::Other(format!("cannot call the gateway at {origin}")),
    };
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(TIMEOUT));
    let agent: ureq::Agent = config.build().into();
    let query = if dry_run { "?dry_run=true" } else { "" };
    let request = agent.post(format!("{}/api/reload{query}", origin.trim_end_matches('/')));
    let mut response = request.header("Authorization", format!("Bearer {token}")).send_empty().map_err(failed)?;
    let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_vec().map_err(failed)?;
    Ok((response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
}

fn problems(body: &Value) -> Problems {
    let finding = |problem: &Value| {
        let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Finding { variable: text("variable"), sentence: text("sentence") }
    };
    Problems(list(body, "/problems").iter().map(finding).collect())
}

fn list<'b>(body: &'b Value, pointer: &str) -> &'b [Value] {
    body.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn show(body: &Value) {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    for change in ["added", "removed", "changed"] {
        for endpoint in list(body, &format!("/endpoints/{change}")) {
            let [service, account, path] = ["service_type", "account", "path"].map(|name| text(endpoint, name));
            print(format_args!("{change:<8} {service}/{account} at {path}"));
        }
    }
    for variable in list(body, "/variables").iter().filter_map(Value::as_str) {
        print(format_args!("changed  {variable}"));
    }
    for variable in list(body, "/needs_restart").iter().filter_map(Value::as_str) {
        print(format_args!("restart  {variable}: only a restart takes over its new value"));
    }
    for warning in list(body, "/warnings") {
        print(format_args!("warning  {}: {}", text(warning, "variable"), text(warning, "sentence")));
    }
    let is_applied = body.get("applied").is_some_and(|applied| applied == true);
    print(if is_applied { "reloaded" } else { "dry run: nothing has changed" });
}
