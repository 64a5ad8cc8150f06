//! Connections to the broker.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_nats::{Client, ConnectOptions, Event, connection::State};

use super::options::{BrokerOptions, Login};
use crate::log_throttle::LogThrottle;

/// Longest wait for a connection or for the response to a request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// A server that does not answer is left after about three of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The options of a connection. A connection that is lost is made again, for ever.
pub(super) fn options(broker: &BrokerOptions) -> std::io::Result<ConnectOptions> {
    let mut options = ConnectOptions::new()
        .name("waybill")
        .connection_timeout(TIMEOUT)
        .request_timeout(Some(TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(pause);
    if let Some(authorities) = &broker.tls.authorities {
        options = options.add_root_certificates(PathBuf::clone(authorities)).require_tls(true);
    }
    if let Some((certificate, key)) = &broker.tls.client {
        options = options.add_client_certificate(PathBuf::clone(certificate), PathBuf::clone(key)).require_tls(true);
    }
    Ok(match broker.login.as_ref().or(broker.servers.login.as_ref()) {
        None => options,
        Some(Login::Token(token)) => options.token(token.text().to_owned()),
        Some(Login::Password { user, password }) => options.user_and_password(user.clone(), password.text().to_owned()),
        Some(Login::Nkey(seed)) => options.nkey(seed.text().to_owned()),
        Some(Login::Credentials(text)) => options.credentials(text.text())?,
    })
}

/// Returns at once; the connection is made in the background.
pub(super) async fn start(broker: &BrokerOptions) -> std::io::Result<Client> {
    let throttle = Arc::new(LogThrottle::default());
    let options = options(broker)?.retry_on_initial_connect().event_callback(move |event| {
        log(&event, &throttle);
        std::future::ready(())
    });
    options.connect(&broker.servers.addresses[..]).await.map_err(std::io::Error::other)
}

pub(super) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    if attempts <= 1 { Duration::ZERO } else { (Duration::from_millis(10) * 2_u32.pow(doublings)).min(MAX_PAUSE) }
}

/// The texts of these events contain no credentials.
fn log(event: &Event, throttle: &LogThrottle) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("the connection to NATS is lost"),
        Event::ClientError(_) | Event::ServerError(_) | Event::SlowConsumer(_) => {
            if let Some(count) = throttle.count() {
                tracing::warn!(count, "NATS: {event}; logged at most once a minute");
            }
        }
        _ => tracing::info!("NATS: {event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second() {
        let pauses = [0, 1, 2, 3, 8, usize::MAX].map(|attempts| pause(attempts).as_millis());
        assert_eq!(pauses, [0, 0, 20, 40, 1_000, 1_000]);
    }
}
