//! The stream and its consumer: created if missing, otherwise checked and left as they are.

use std::time::Duration;

use async_nats::jetstream::{
    Context,
    consumer::{AckPolicy, pull},
    context::GetStreamErrorKind,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};

use super::{message, options::StreamOptions};

/// The consumer that all writers share.
pub(super) const CONSUMER: &str = "waybill-writers";

/// A message that is neither acknowledged nor extended for so long is delivered again.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(30);

/// Messages that may be with writers at once.
const MAX_ACK_PENDING: i64 = 20_000;

/// The time in which the broker recognizes copies.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// The largest message: the limit on a body, its head and the headers of the message.
pub(super) const MAX_MESSAGE: usize = 512 << 10;

/// A work queue holds what is not in the database yet, and nothing else: its size is the backlog, and its limit refuses new requests
/// instead of dropping unread ones.
pub(super) fn wanted(options: &StreamOptions) -> Config {
    Config {
        name: options.name.clone(),
        description: Some("Callbacks that Waybill acknowledged and has not written to its database yet".to_owned()),
        subjects: vec![message::subjects(options)],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: options.replicas,
        max_bytes: i64::try_from(options.max_bytes).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: -1,
        duplicate_window: DUPLICATE_WINDOW,
        ..Config::default()
    }
}

pub(super) fn wanted_consumer() -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        description: Some("The writers of Waybill".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // A record that the database does not accept is quarantined there, and one that cannot be read goes to another stream.
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    }
}

/// The stream; `None` if there is none of that name.
pub(super) async fn find(context: &Context, name: &str) -> Result<Option<Stream>, String> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refused) if refused.code() == 404 => Ok(None),
            _ => Err(format!("cannot read the stream {name}: {error}")),
        },
    }
}

/// Creates the stream, unless another process was faster.
pub(super) async fn create(context: &Context, options: &StreamOptions) -> Result<Stream, String> {
    let stream = context.get_or_create_stream(wanted(options)).await;
    stream.map_err(|error| format!("the stream {} cannot be created: {error}", options.name))
}

/// The ways in which this stream may lose or refuse callbacks, in sentences.
pub(super) fn shortcomings(config: &Config, options: &StreamOptions) -> Vec<String> {
    let wanted = wanted(options);
    let finding = |applies: bool, sentence: &str| applies.then(|| format!("the stream {} {sentence}", config.name));
    let drops = config.discard == DiscardPolicy::Old;
    let is_limited = config.max_bytes > 0 || config.max_messages > 0 || config.max_messages_per_subject > 0;
    let is_work_queue = config.retention == RetentionPolicy::WorkQueue;
    [
        finding(config.storage == StorageType::Memory, "is in memory: a restart of its servers loses what is not written yet"),
        finding(config.num_replicas < 2, "has one replica: its server's loss, and with a power cut its last writes, are lost"),
        finding(!config.max_age.is_zero(), "has a maximum age: what no writer has read until then is dropped"),
        finding(drops && is_limited, "drops its oldest messages when it is full (discard old): unread callbacks are lost"),
        finding(config.no_ack, "has acknowledgments switched off: no callback can be accepted"),
        finding(config.retention == RetentionPolicy::Interest, "has interest retention: without a consumer messages are dropped"),
        finding(
            !is_work_queue && !drops && is_limited,
            "keeps messages that are written already, and refuses new ones once full",
        ),
        finding(config.max_messages_per_subject > 0, "limits the messages of a subject, each of which has those of an account"),
        finding(
            (1..MAX_MESSAGE).contains(&usize::try_from(config.max_message_size).unwrap_or(0)),
            "limits the size of a message to less than the largest callback needs",
        ),
        finding(config.duplicate_window < DUPLICATE_WINDOW, "recognizes copies for less than 2 minutes"),
        finding(config.sealed, "is sealed: no callback can be accepted"),
        finding(!wanted.subjects.iter().all(|subject| covers(config, subject)), "does not have the subjects of its name"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn covers(config: &Config, subject: &str) -> bool {
    config.subjects.iter().any(|one| one == subject || one == ">")
}

/// The ways in which the consumer may lose or repeat callbacks, in sentences.
pub(super) fn consumer_shortcomings(config: &pull::Config) -> Vec<String> {
    let finding = |applies: bool, sentence: &str| applies.then(|| format!("the consumer {CONSUMER} {sentence}"));
    [
        finding(
            config.ack_policy != AckPolicy::Explicit,
            "does not require explicit acknowledgments: a killed writer loses callbacks",
        ),
        finding(config.max_deliver > 0, "gives up after a number of deliveries: an outage of the database loses callbacks"),
        finding(config.ack_wait < ACK_WAIT, "delivers again after less than 30 seconds"),
        finding(!config.filter_subject.is_empty(), "reads only some subjects of the stream"),
        finding(config.memory_storage, "has its state in memory: after a restart of its servers callbacks are delivered again"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
