//! Messages that no writer of this version can store. They are moved to a stream of their own, where an operator can look at them and
//! send them back; nothing is dropped.

use async_nats::{
    HeaderMap,
    jetstream::{
        self, AckKind, Context,
        message::PublishMessage,
        stream::{Config, DiscardPolicy, StorageType},
    },
};

use super::options::StreamOptions;

/// Its limit: it should be empty.
const MAX_BYTES: i64 = 64 << 20;

/// The name of the stream of such messages.
pub(super) fn name(stream: &StreamOptions) -> String {
    format!("{}_DEAD", stream.name)
}

fn wanted(stream: &StreamOptions) -> Config {
    let name = name(stream);
    Config {
        description: Some("Messages of Waybill's stream that no writer can store".to_owned()),
        subjects: vec![format!("{}.>", name.to_ascii_lowercase())],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: stream.replicas,
        max_bytes: MAX_BYTES,
        max_messages: -1,
        max_messages_per_subject: -1,
        name,
        ..Config::default()
    }
}

/// Moves a message there. It is removed from the stream only once the other has it.
pub(super) async fn bury(
    context: &Context,
    stream: &StreamOptions,
    message: &jetstream::Message,
    reason: &str,
) -> Result<(), String> {
    let sequence = message.info().map(|info| info.stream_sequence).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert("Waybill-Reason", reason);
    headers.insert("Waybill-Subject", message.subject.as_str());
    // A writer that was killed between the two steps repeats the first.
    headers.insert("Nats-Msg-Id", format!("{}:{sequence}", stream.name));
    let subject = format!("{}.{sequence}", name(stream).to_ascii_lowercase());
    let copy = PublishMessage::build().payload(message.payload.clone()).headers(headers);
    let publish = async {
        context.get_or_create_stream(wanted(stream)).await.map_err(|error| error.to_string())?;
        let confirmed = context.send_publish(subject, copy).await.map_err(|error| error.to_string())?;
        confirmed.await.map_err(|error| error.to_string())?;
        message.ack_with(AckKind::Term).await.map_err(|error| error.to_string())
    };
    publish.await?;
    tracing::error!(sequence, reason, "a message cannot be stored: it is in the stream {} now", name(stream));
    Ok(())
}
