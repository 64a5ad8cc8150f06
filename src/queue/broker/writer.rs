//! Writers: messages are read in batches, written to the database in one transaction, and acknowledged after its COMMIT.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    Client,
    jetstream::{self, AckKind, Context, Message, consumer::PullConsumer},
};
use futures_util::{StreamExt, future};
use tokio::{
    sync::watch::Receiver,
    time::{interval, timeout},
};

use super::{
    connect,
    dead::{DeadStream, Reason},
    message,
    options::BrokerOptions,
    stream::{self, ACK_WAIT},
};
use crate::{
    log_throttle::LogThrottles,
    queue::{
        Unreadable,
        drain::{Drain, Drained},
    },
    store::StoreError,
};

/// Messages and bytes of a batch.
const MAX_BATCH: usize = 1_000;
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Longest wait for a message when there is none, and with it for a stop.
const IDLE: Duration = Duration::from_secs(1);

/// Longest wait for the next message of a batch: the connection was lost.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_secs(1);

/// The time after which a message is delivered again that can neither be stored nor moved away.
const DEAD_DELAY: Duration = Duration::from_mins(1);

/// The number of deliveries after which a message is moved away that the database refuses in any form: about five minutes, with growing
/// delays.
const MAX_REFUSED: i64 = 9;

/// Reads the stream and writes to the database until the process stops.
pub(super) struct Writer {
    pub(super) options: BrokerOptions,
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) drain: Drain,
    pub(super) stop: Receiver<bool>,
    dead: DeadStream,
    throttles: LogThrottles,
}

type Batch = Vec<Message>;

impl Writer {
    pub(super) fn new(options: BrokerOptions, client: Client, drain: Drain, stop: Receiver<bool>) -> Self {
        let context = jetstream::new(client.clone());
        let dead = DeadStream::new(&context, &options.stream);
        Self { options, client, context, drain, stop, dead, throttles: LogThrottles::default() }
    }

    pub(super) async fn run(mut self) {
        let (dead, drain, stop) = (self.dead.clone(), self.drain.clone(), self.stop.clone());
        future::join(self.consume_until_stop(), dead.send_back_periodically(&drain, stop)).await;
        // What was acknowledged last is on its way.
        drop(timeout(READ_TIMEOUT, self.client.flush()).await);
    }

    async fn consume_until_stop(&mut self) {
        while !self.is_stopping() {
            match self.consumer().await {
                Ok(consumer) => self.consume(&consumer).await,
                Err(error) => {
                    self.warn("consumer", &error);
                    self.pause().await;
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    async fn pause(&mut self) {
        drop(timeout(PAUSE, self.stop.changed()).await);
    }

    fn warn(&self, kind: &'static str, error: &str) {
        if connect::is_connected(&self.client)
            && let Some(count) = self.throttles.count(kind)
        {
            tracing::warn!(count, "{error}; logged at most once a minute");
        }
    }

    async fn consumer(&self) -> Result<PullConsumer, String> {
        let stream =
            self.context.get_stream_no_info(&self.options.stream.name).await.map_err(|error| format!("the stream: {error}"))?;
        let consumer = stream.get_or_create_consumer(stream::CONSUMER, stream::wanted_consumer()).await;
        let consumer: PullConsumer =
            consumer.map_err(|error| format!("the consumer {} cannot be read or created: {error}", stream::CONSUMER))?;
        let known = jetstream::consumer::FromConsumer::try_from_consumer_config(consumer.cached_info().config.clone());
        for sentence in known.map(|config| stream::consumer_shortcomings(&config)).unwrap_or_default() {
            tracing::warn!("{sentence}");
        }
        Ok(consumer)
    }

    /// Reads the next batch while the last one is written. Returns after a failure of the broker, and when the process stops.
    async fn consume(&mut self, consumer: &PullConsumer) {
        let mut batch = Batch::new();
        loop {
            if self.drain.is_database_away() {
                self.release(std::mem::take(&mut batch)).await;
                if !self.is_database_back().await {
                    return;
                }
            }
            let is_stopping = self.is_stopping();
            let next = async { if is_stopping { Ok(Batch::new()) } else { self.read(consumer).await } };
            let (next, ()) = future::join(next, self.write(batch)).await;
            batch = match next {
                Ok(batch) => batch,
                Err(error) => {
                    self.warn("read", &error);
                    return self.pause().await;
                }
            };
            if is_stopping {
                return;
            }
        }
    }

    /// Waits for the database; false if the process stops meanwhile.
    async fn is_database_back(&mut self) -> bool {
        while !self.drain.test_database().await {
            self.pause().await;
            if self.is_stopping() {
                return false;
            }
        }
        true
    }

    /// The messages that are there, or the first that arrives within a second.
    async fn read(&self, consumer: &PullConsumer) -> Result<Batch, String> {
        // The client would keep the request, and send it when it is too late.
        if !connect::is_connected(&self.client) {
            return Err("not connected".to_owned());
        }
        let batch = self.collect(consumer, MAX_BATCH).await?;
        if !batch.is_empty() {
            return Ok(batch);
        }
        let failed = |error: &dyn std::fmt::Display| format!("the stream cannot be read: {error}");
        let mut first = consumer.batch().max_messages(1).expires(IDLE).messages().await.map_err(|error| failed(&error))?;
        match timeout(IDLE + READ_TIMEOUT, first.next()).await {
            Ok(Some(Ok(first))) => {
                let mut batch = vec![first];
                batch.extend(self.collect(consumer, MAX_BATCH - 1).await?);
                Ok(batch)
            }
            Ok(Some(Err(error))) => Err(failed(&error)),
            Ok(None) => Ok(Batch::new()),
            Err(_) => Err(failed(&"no response")),
        }
    }

    /// The messages that are there, within the limits of a batch.
    async fn collect(&self, consumer: &PullConsumer, max: usize) -> Result<Batch, String> {
        let fetch = consumer.fetch().max_messages(max).max_bytes(MAX_BATCH_BYTES).messages().await;
        let mut messages = fetch.map_err(|error| format!("the stream cannot be read: {error}"))?;
        let mut batch = Batch::new();
        // An error is also the end of a batch that has reached its limit of bytes.
        while let Ok(Some(Ok(message))) = timeout(READ_TIMEOUT, messages.next()).await {
            batch.push(message);
        }
        Ok(batch)
    }

    /// Lets other writers have these messages.
    async fn release(&self, batch: Batch) {
        for message in &batch {
            self.answer(message, AckKind::Nak(None)).await;
        }
    }

    /// Writes a batch and acknowledges what is committed.
    async fn write(&self, batch: Batch) {
        let (mut requests, mut written, mut dead) = (Vec::new(), Vec::new(), Vec::new());
        for message in batch {
            match message::decode(&message.payload) {
                Ok(request) => {
                    requests.push(self.drain.parse(request));
                    written.push(message);
                }
                Err(Unreadable::Newer) => dead.push((message, Reason::NewerVersion)),
                Err(Unreadable::Damaged) => dead.push((message, Reason::NotARequest)),
            }
        }
        if !requests.is_empty() {
            let outcomes = self.extending(&written, self.drain.write(requests)).await;
            for (message, outcome) in written.into_iter().zip(outcomes) {
                if let Err(reason) = self.settle(&message, &outcome).await {
                    dead.push((message, reason));
                }
            }
        }
        if let Err((stay, error)) = self.dead.take(&dead).await {
            self.warn("dead", &format!("messages can neither be stored nor moved away: {error}"));
            for (message, _) in stay {
                self.answer(message, AckKind::Nak(Some(DEAD_DELAY))).await;
            }
        }
    }

    /// Runs a write, and reports to the broker from time to time that it is in progress.
    async fn extending(&self, messages: &[Message], write: impl Future<Output = Vec<Drained>>) -> VecDeque<Drained> {
        let mut write = Box::pin(write);
        let mut timer = interval(ACK_WAIT / 3);
        timer.tick().await;
        loop {
            let tick = Box::pin(timer.tick());
            match future::select(write, tick).await {
                future::Either::Left((outcomes, _)) => return outcomes.into(),
                future::Either::Right((_, unfinished)) => write = unfinished,
            }
            for message in messages {
                self.answer(message, AckKind::Progress).await;
            }
        }
    }

    /// Answers a message, unless it cannot be stored.
    async fn settle(&self, message: &Message, outcome: &Drained) -> Result<(), Reason> {
        match outcome {
            Drained::Durable => self.answer(message, AckKind::Ack).await,
            Drained::Failed(StoreError::Refused) if deliveries(message) >= MAX_REFUSED => return Err(Reason::Refused),
            Drained::Failed(StoreError::Refused) => {
                let delay = PAUSE * 2_u32.pow(u32::try_from(deliveries(message).clamp(0, MAX_REFUSED)).unwrap_or(0));
                self.answer(message, AckKind::Nak(Some(delay))).await;
            }
            Drained::Failed(_) => self.answer(message, AckKind::Nak(Some(PAUSE))).await,
            Drained::UnknownProvider => return Err(Reason::UnknownProvider),
        }
        Ok(())
    }

    /// A message whose answer is lost is delivered again, which changes nothing.
    async fn answer(&self, message: &Message, kind: AckKind) {
        drop(message.ack_with(kind).await);
    }
}

/// The number of times that a message was delivered.
fn deliveries(message: &Message) -> i64 {
    message.info().map(|info| info.delivered).unwrap_or_default()
}
