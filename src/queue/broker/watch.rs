//! The state of the stream, read once a second, so that no callback and no check of health waits for it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    Context,
    consumer::{Consumer, pull},
    stream::{DiscardPolicy, Info, RetentionPolicy, Stream},
};
use tokio::{sync::watch::Receiver, time::timeout};

use super::{
    connect, dead,
    options::StreamOptions,
    stream::{self, CONSUMER, MAX_MESSAGE},
};
use crate::{log_throttle::LogThrottle, queue::QueueState, time::Timestamp};

const INTERVAL: Duration = Duration::from_secs(1);

/// The age from which a state is not believed any more.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Pause before a stream that was deleted is created again. A server of NATS 2.9 deletes files in the background, also those of a new
/// stream with the same name: it would confirm messages that it then has no file of.
const RECREATE_PAUSE: Duration = Duration::from_secs(10);

/// The last known state of the stream.
#[derive(Default)]
pub(super) struct Seen(Mutex<Last>);

#[derive(Default)]
struct Last {
    state: QueueState,
    read_at: Option<Instant>,
    shortcomings: Vec<String>,
}

impl Seen {
    /// The state, which is failing if it is old or the stream is full.
    pub(super) fn state(&self) -> QueueState {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = last.read_at.is_some_and(|at| at.elapsed() < MAX_AGE);
        QueueState { is_failing: !is_current || last.state.is_failing || is_full(&last.state), ..last.state }
    }

    fn set(&self, state: QueueState) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (last.state, last.read_at) = (state, Some(Instant::now()));
    }

    fn set_failed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read_at = None;
    }

    /// Logs the shortcomings of the stream when they change.
    fn note(&self, shortcomings: Vec<String>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sentence in shortcomings.iter().filter(|sentence| !last.shortcomings.contains(sentence)) {
            tracing::warn!("{sentence}");
        }
        last.shortcomings = shortcomings;
    }
}

/// True if the stream has no room for the largest message.
fn is_full(state: &QueueState) -> bool {
    let room = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX).min(state.max_bytes / 8);
    state.max_bytes > 0 && state.bytes.saturating_add(room) > state.max_bytes
}

/// Creates the stream if it is missing.
#[derive(Default)]
struct Keeper {
    was_there: bool,
    missing_since: Option<Instant>,
}

impl Keeper {
    /// The stream. One that was deleted is created again after a pause.
    async fn stream(&mut self, context: &Context, options: &StreamOptions) -> Result<Stream, String> {
        if let Some(stream) = stream::find(context, &options.name).await? {
            *self = Self { was_there: true, missing_since: None };
            return Ok(stream);
        }
        let missing_since = *self.missing_since.get_or_insert_with(Instant::now);
        if self.was_there && missing_since.elapsed() < RECREATE_PAUSE {
            let seconds = RECREATE_PAUSE.as_secs();
            return Err(format!("the stream {} was deleted: it is created again after {seconds} seconds", options.name));
        }
        stream::create(context, options).await
    }
}

/// Creates the stream if it is missing, and reads its state until the process stops.
pub(super) async fn run(context: &Context, options: &StreamOptions, seen: &Seen, mut stop: Receiver<bool>) {
    let (throttle, mut keeper) = (LogThrottle::default(), Keeper::default());
    let mut timer = tokio::time::interval(INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow_and_update() {
        if connect::is_connected(&context.client()) {
            match read(context, options, &mut keeper, seen).await {
                Ok((info, state)) => {
                    seen.set(state);
                    seen.note(stream::shortcomings(&info.config, options));
                }
                Err(error) => {
                    seen.set_failed();
                    if let Some(count) = throttle.count() {
                        tracing::warn!(count, "{error}; logged at most once a minute");
                    }
                }
            }
        } else {
            seen.set_failed();
        }
        // A callback must not wait a second for the first connection.
        let pause = if seen.state().is_failing { INTERVAL / 10 } else { INTERVAL };
        drop(timeout(pause, stop.changed()).await);
    }
}

async fn read(
    context: &Context,
    options: &StreamOptions,
    keeper: &mut Keeper,
    seen: &Seen,
) -> Result<(Info, QueueState), String> {
    let info = keeper.stream(context, options).await?.cached_info().clone();
    let (pending, oldest) = if info.config.retention == RetentionPolicy::WorkQueue {
        let first = info.state.first_timestamp.unix_timestamp_nanos() / 1_000;
        (info.state.messages, (info.state.messages > 0).then_some(first))
    } else {
        unread(context, &info).await
    };
    let oldest = oldest.and_then(|micros| Timestamp::from_micros(i64::try_from(micros).ok()?));
    let max_bytes = u64::try_from(info.config.max_bytes).unwrap_or(0);
    // A limit on the number of messages is none of ours, but a stream that was there may have one.
    let is_failing = u64::try_from(info.config.max_messages).is_ok_and(|max| max > 0 && info.state.messages >= max)
        && info.config.discard == DiscardPolicy::New;
    // Callbacks are accepted without that stream.
    let dead_messages = dead::count(context, options).await.unwrap_or(seen.state().dead_messages);
    let bytes = info.state.bytes;
    let state = QueueState { pending, oldest, bytes, max_bytes, is_failing, unreadable_files: 0, dead_messages };
    Ok((info, state))
}

/// The messages of a stream that keeps those that are written, and the time in microseconds of the oldest that is not.
async fn unread(context: &Context, info: &Info) -> (u64, Option<i128>) {
    let consumer: Result<Consumer<pull::Config>, _> = context.get_consumer_from_stream(CONSUMER, &info.config.name).await;
    let Ok(consumer) = consumer else {
        let first = info.state.first_timestamp.unix_timestamp_nanos() / 1_000;
        return (info.state.messages, (info.state.messages > 0).then_some(first));
    };
    let known = consumer.cached_info();
    let pending = known.num_pending.saturating_add(u64::try_from(known.num_ack_pending).unwrap_or(0));
    if pending == 0 {
        return (0, None);
    }
    let next = known.ack_floor.stream_sequence + 1;
    let stream = context.get_stream_no_info(&info.config.name).await;
    let message = match stream {
        Ok(stream) => stream.get_raw_message(next).await.ok(),
        Err(_) => None,
    };
    (pending, message.map(|message| message.time.unix_timestamp_nanos() / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_that_was_never_read_is_failing() {
        let seen = Seen::default();
        assert!(seen.state().is_failing);
        seen.set(QueueState { max_bytes: 800, bytes: 700, ..QueueState::default() });
        assert!(!seen.state().is_failing);
        seen.set(QueueState { max_bytes: 800, bytes: 701, ..QueueState::default() });
        assert!(seen.state().is_failing, "no room");
    }
}
