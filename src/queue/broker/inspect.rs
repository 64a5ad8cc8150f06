//! A look at the broker, for `check`: reads only.

use std::{io, time::Duration};

use async_nats::{
    Client,
    jetstream::{
        self,
        consumer::{FromConsumer, PullConsumer},
    },
};

use super::{
    connect, dead,
    options::BrokerOptions,
    stream::{self, CONSUMER, MAX_MESSAGE},
};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The findings about a broker.
#[derive(Debug, Default)]
pub struct Inspection {
    /// With one of these no callback can be accepted.
    pub problems: Vec<String>,
    /// Ways in which it may lose callbacks.
    pub warnings: Vec<String>,
}

/// Connects, and reads the stream and its consumer. Blocks.
pub fn inspect(options: &BrokerOptions) -> Inspection {
    let look = || -> io::Result<Inspection> {
        let runtime = super::runtime()?;
        runtime.block_on(async {
            let look = tokio::time::timeout(TIMEOUT, look(options)).await;
            look.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    };
    look().unwrap_or_else(|error| Inspection { problems: vec![format!("cannot connect: {error}")], warnings: Vec::new() })
}

async fn look(options: &BrokerOptions) -> io::Result<Inspection> {
    let connecting = connect::options(options)?.connect(&options.servers.addresses[..]);
    let client = connecting.await.map_err(|error| io::Error::other(error.to_string()))?;
    let mut found = Inspection::default();
    look_at_server(&client, &mut found);
    let context = jetstream::new(client);
    let replicas = match stream::find(&context, &options.stream.name).await {
        Ok(Some(stream)) => {
            let config = &stream.cached_info().config;
            found.warnings.extend(stream::shortcomings(config, &options.stream));
            let consumer: Result<PullConsumer, _> = stream.get_consumer(CONSUMER).await;
            let known = consumer.map(|consumer| FromConsumer::try_from_consumer_config(consumer.cached_info().config.clone()));
            if let Ok(Ok(config)) = known {
                found.warnings.extend(stream::consumer_shortcomings(&config));
            }
            config.num_replicas
        }
        // It is created by the first process that starts.
        Ok(None) => {
            found.warnings.extend(stream::shortcomings(&stream::wanted(&options.stream), &options.stream));
            options.stream.replicas
        }
        Err(error) => {
            found.problems.push(error);
            options.stream.replicas
        }
    };
    match dead::count(&context, &options.stream).await {
        Ok(0) => {}
        Ok(messages) => found.warnings.push(format!(
            "{messages} messages that no writer could store are in the stream {}: docs/deploy.md has a table of the reasons",
            dead::name(&options.stream)
        )),
        Err(error) => found.warnings.push(error),
    }
    found.warnings.push(sync_interval(replicas));
    Ok(found)
}

/// The time for which its servers may keep a confirmed message in memory is their own setting, which clients cannot read.
fn sync_interval(replicas: usize) -> String {
    let lost = if replicas < 2 { "a power cut of its server" } else { "a power cut of most of its servers at once" };
    format!(
        "unless its servers have `sync_interval: always`, {lost} loses what was acknowledged in the last 2 minutes; docs/deploy.md has a table"
    )
}

fn look_at_server(client: &Client, found: &mut Inspection) {
    let server = client.server_info();
    if !server.jetstream {
        found.problems.push("the server has no JetStream: start it with `-js` or a `jetstream` block".to_owned());
    }
    if !client.is_server_compatible(2, 9, 0) {
        found.warnings.push(format!("nats-server {} is older than 2.9, the oldest that is tested", server.version));
    }
    if server.max_payload < MAX_MESSAGE {
        found.warnings.push(format!(
            "max_payload of the server is {} bytes: a callback of more is answered 503; expected at least {MAX_MESSAGE}",
            server.max_payload
        ));
    }
}
