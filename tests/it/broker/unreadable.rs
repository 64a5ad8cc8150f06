//! Messages that are no queued requests do not stop a writer, and are not lost.

use async_nats::jetstream;

use super::{Nats, Part, wait_for_rows};
use crate::support::{
    database::{Backend, Database},
    poll::eventually,
};

#[test]
fn unreadable_message_is_moved_to_a_stream_of_its_own() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let context = runtime.block_on(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.expect("a connection"));
        for payload in ["not of Waybill", "{\"v\":1}\nbody", "{}"] {
            context.publish("waybill.something", payload.into()).await.expect("sent").await.expect("confirmed");
        }
        context
    });
    part.send_until_acknowledged(2, "sent");
    wait_for_rows(&database, "webhook_requests", 2);
    part.wait_for("an empty stream", |state| state.pending == 0);
    eventually("the stream of unreadable messages", || {
        runtime.block_on(async {
            let stream = context.get_stream("WAYBILL_DEAD").await.ok()?;
            (stream.cached_info().state.messages == 3).then_some(())?;
            let first = stream.get_raw_message(1).await.expect("a message");
            let reason = first.headers.get("Waybill-Reason").expect("a reason").as_str().to_owned();
            assert_eq!((&first.payload[..], reason.as_str()), (&b"not of Waybill"[..], "not a queued request"));
            Some(())
        })
    });
}

/// A message of a newer version is left to a newer writer.
#[test]
fn message_of_a_newer_version_stays() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.expect("a connection"));
        context.publish("waybill.twilio.default", "{\"v\":999}\nbody".into()).await.expect("sent").await.expect("confirmed");
    });
    part.send_until_acknowledged(2, "sent");
    wait_for_rows(&database, "webhook_requests", 2);
    part.wait_for("one message that stays", |state| state.pending == 1);
}
