//! Messages that no writer of this version can store, in a stream of their own, so that they take no place among the others and nothing is
//! dropped. A writer that can store one sends it back.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        self, AckKind, Context,
        message::{PublishMessage, StreamMessage},
        stream::{Config, DiscardPolicy, StorageType, Stream},
    },
};
use futures_util::future::try_join_all;
use tokio::{sync::watch::Receiver, time::timeout};

use super::{connect, message, options::StreamOptions, stream};
use crate::{log_throttle::LogThrottle, queue::drain::Drain};

/// The least limit of the stream, and the share of that of the other one. It should be empty.
const MIN_BYTES: u64 = 64 << 20;
const SHARE: u64 = 4;

/// Messages that are moved at once.
const MOVED_AT_ONCE: usize = 64;

/// Interval of looks at the stream: while versions are replaced one by one, an older writer moves messages there that a newer one knows.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Pause before the first look, until the broker can be reached.
const FIRST_LOOK_PAUSE: Duration = Duration::from_secs(1);

const REASON: &str = "Waybill-Reason";
const SUBJECT: &str = "Waybill-Subject";

/// Reason for which a message is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub(super) enum Reason {
    #[strum(serialize = "not a queued request")]
    NotARequest,
    #[strum(serialize = "refused by the database")]
    Refused,
    #[strum(serialize = "of an unknown provider")]
    UnknownProvider,
    #[strum(serialize = "of a newer version")]
    NewerVersion,
}

/// A message that cannot be stored.
pub(super) type DeadMessage = (jetstream::Message, Reason);

/// The stream of such messages.
#[derive(Clone)]
pub(super) struct DeadStream {
    context: Context,
    options: StreamOptions,
}

/// The progress of the looks at the stream.
#[derive(Default)]
struct Looks {
    /// The last message that was looked at.
    last: u64,
    /// True once all were that were there at the start.
    is_first_complete: bool,
}

/// The name of the stream.
pub(super) fn name(stream: &StreamOptions) -> String {
    format!("{}_DEAD", stream.name)
}

fn subjects(stream: &StreamOptions) -> String {
    format!("{}.>", name(stream).to_ascii_lowercase())
}

fn wanted(stream: &StreamOptions) -> Config {
    Config {
        description: Some("Messages of Waybill's stream that no writer can store".to_owned()),
        subjects: vec![subjects(stream)],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: stream.replicas,
        max_bytes: i64::try_from(MIN_BYTES.max(stream.max_bytes / SHARE)).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: -1,
        name: name(stream),
        ..Config::default()
    }
}

/// The number of messages there.
pub(super) async fn count(context: &Context, options: &StreamOptions) -> Result<u64, String> {
    let stream = stream::find(context, &name(options)).await?;
    Ok(stream.map_or(0, |stream| stream.cached_info().state.messages))
}

impl DeadStream {
    pub(super) fn new(context: &Context, options: &StreamOptions) -> Self {
        Self { context: context.clone(), options: options.clone() }
    }

    /// Moves messages there. Returns those that stay in the other stream after a failure, and its cause.
    pub(super) async fn take<'m>(&self, messages: &'m [DeadMessage]) -> Result<(), (&'m [DeadMessage], String)> {
        if messages.is_empty() {
            return Ok(());
        }
        let created = self.context.get_or_create_stream(wanted(&self.options)).await;
        created.map_err(|error| (messages, error.to_string()))?;
        let mut rest = messages;
        while let Some((some, others)) = rest.split_at_checked(rest.len().min(MOVED_AT_ONCE)).filter(|(some, _)| !some.is_empty())
        {
            try_join_all(some.iter().map(|message| self.take_one(message))).await.map_err(|error| (rest, error))?;
            rest = others;
        }
        let reason: &str = messages.first().map_or("", |(_, reason)| reason.into());
        tracing::error!(
            messages = messages.len(),
            reason,
            "messages cannot be stored: they are in the stream {} now",
            self.name()
        );
        Ok(())
    }

    fn name(&self) -> String {
        name(&self.options)
    }

    /// A message is removed from the other stream only once this one has it.
    async fn take_one(&self, (message, reason): &DeadMessage) -> Result<(), String> {
        let info = message.info().map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(REASON, <&str>::from(reason));
        headers.insert(SUBJECT, message.subject.as_str());
        let subject = format!("{}.{}", self.name().to_ascii_lowercase(), info.stream_sequence);
        // A writer that was killed between the two steps repeats the first. A stream that is created again counts from 1.
        let id = format!("{}:{}:{}", self.options.name, info.stream_sequence, info.published.unix_timestamp_nanos());
        let copy = PublishMessage::build().payload(message.payload.clone()).headers(headers).message_id(id);
        self.publish(subject, copy).await?;
        message.ack_with(AckKind::Ack).await.map_err(|error| error.to_string())
    }

    async fn publish(&self, subject: String, message: PublishMessage) -> Result<(), String> {
        let confirmed = self.context.send_publish(subject, message).await.map_err(|error| error.to_string())?;
        let ack = confirmed.await.map_err(|error| error.to_string())?;
        // A copy of a message that is itself not confirmed yet has no number.
        if ack.sequence > 0 { Ok(()) } else { Err("not confirmed yet".to_owned()) }
    }

    /// Sends messages back that this version can store, until the process stops.
    pub(super) async fn send_back_periodically(&self, drain: &Drain, mut stop: Receiver<bool>) {
        let (throttle, mut looks) = (LogThrottle::default(), Looks::default());
        while !*stop.borrow_and_update() {
            if connect::is_connected(&self.context.client())
                && let Err(error) = self.look(drain, &mut looks, &stop).await
                && let Some(count) = throttle.count()
            {
                tracing::warn!(count, "messages cannot be sent back: {error}; logged at most once a minute");
            }
            let pause = if looks.is_first_complete { LOOK_INTERVAL } else { FIRST_LOOK_PAUSE };
            drop(timeout(pause, stop.changed()).await);
        }
    }

    /// Looks at the messages that were not looked at before. After a failure the next look continues there.
    async fn look(&self, drain: &Drain, looks: &mut Looks, stop: &Receiver<bool>) -> Result<(), String> {
        let Some(stream) = stream::find(&self.context, &self.name()).await? else {
            looks.is_first_complete = true;
            return Ok(());
        };
        let end = stream.cached_info().state.last_sequence;
        // It was created again.
        if end < looks.last {
            looks.last = 0;
        }
        while looks.last < end && !*stop.borrow() {
            let Some(message) = next(&stream, &self.options, looks.last + 1).await? else { break };
            // The database would refuse it again, unless it was changed before this process started.
            let may_be_taken = !looks.is_first_complete || !has_reason(&message, Reason::Refused);
            if may_be_taken && message::decode(&message.payload).is_ok_and(|request| drain.knows(&request)) {
                self.send_back(&stream, &message).await?;
            }
            looks.last = message.sequence;
        }
        looks.is_first_complete = true;
        Ok(())
    }

    /// A message is removed from this stream only once the other one has it.
    async fn send_back(&self, stream: &Stream, message: &StreamMessage) -> Result<(), String> {
        let Some(subject) = message.headers.get(SUBJECT) else { return Ok(()) };
        // Not its first id, of which the broker may still refuse a copy.
        let id = format!("{}:{}:{}", self.name(), message.sequence, message.time.unix_timestamp_nanos());
        let copy = PublishMessage::build().payload(message.payload.clone()).message_id(id);
        self.publish(subject.as_str().to_owned(), copy.expected_stream(&self.options.name)).await?;
        stream.delete_message(message.sequence).await.map(drop).map_err(|error| error.to_string())
    }
}

fn has_reason(message: &StreamMessage, reason: Reason) -> bool {
    message.headers.get(REASON).is_some_and(|text| text.as_str() == <&str>::from(reason))
}

/// The first message from that number on.
async fn next(stream: &Stream, options: &StreamOptions, from: u64) -> Result<Option<StreamMessage>, String> {
    use jetstream::stream::LastRawMessageErrorKind::NoMessageFound;
    match stream.get_first_raw_message_by_subject(subjects(options), from).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == NoMessageFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
