//! Gateways, a private nats-server and writers.

mod cluster;
mod credentials;
mod delivery;
mod outages;
mod roles;
mod unreadable;

use waybill::{
    http::Running,
    time::{Clock, ManualClock, Timestamp},
};

use crate::support::{
    callback,
    client::{self, Response},
    database::Database,
    gateway,
    nats::Nats,
    poll::eventually,
    twilio::TOKEN,
};

/// A process of a role, in this one.
struct Part(Option<Running>);

impl Part {
    fn start(role: &str, database: &Database, url: &str, more: &[(&str, &str)]) -> Self {
        Self::start_on(role, &database.url(), url, more)
    }

    fn start_on(role: &str, database_url: &str, url: &str, more: &[(&str, &str)]) -> Self {
        let variables =
            [("QUEUE_URL", url), ("WAYBILL_ROLE", role), ("TWILIO_AUTH_TOKEN", TOKEN), ("QUEUE_MAX_BYTES", "67108864")];
        let variables: Vec<(String, String)> =
            variables.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_seconds(1_800_000_000).expect("an instant");
        Self(Some(gateway::start(database_url, Clock::Manual(ManualClock::new(now)), &variables)))
    }

    fn running(&self) -> &Running {
        self.0.as_ref().expect("running")
    }

    /// Sends the status callback of a message.
    fn send(&self, message: u64, status: &str) -> Response {
        let endpoint = self.running().gateway.endpoint("/webhooks/twilio").expect("an endpoint");
        client::exchange(self.running().public, &callback::request_bytes(&endpoint, &callback::status_form(message, status)))
    }

    /// Sends it until it is acknowledged.
    fn send_until_acknowledged(&self, message: u64, status: &str) {
        eventually("an acknowledgment", || (self.send(message, status).status == 200).then_some(()));
    }

    /// A response of the operations listener.
    fn ops(&self, target: &str) -> Response {
        client::get(self.running().ops, target, &[("Authorization", &format!("Bearer {}", gateway::OPS_TOKEN))])
    }

    /// The state of the queue once it satisfies a condition.
    fn wait_for(&self, what: &str, condition: impl Fn(waybill::queue::QueueState) -> bool) {
        let queue = self.running().gateway.intake.queue().expect("a queue");
        eventually(what, || condition(queue.state()).then_some(()));
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            gateway::stop(running);
        }
    }
}

fn count(database: &Database, table: &str) -> usize {
    database.query(&format!("SELECT count(*) AS row FROM {table}").replace("count(*)", "CAST(count(*) AS TEXT)"))[0]
        .parse()
        .expect("a number")
}

fn wait_for_rows(database: &Database, table: &str, rows: usize) {
    eventually(&format!("{rows} rows of {table}"), || (count(database, table) == rows).then_some(()));
}
