//! Three servers that store the stream three times: one may fail, two may not, and nothing confirmed is lost.

use super::{Nats, Part, wait_for_rows};
use crate::support::{
    database::{Backend, Database},
    poll::eventually,
};

#[test]
fn cluster_accepts_with_two_servers_and_keeps_all_with_one() {
    let (mut servers, database) = (Nats::cluster(), Database::new(Backend::Sqlite));
    let url = servers.each_ref().map(Nats::url).join(",");
    let gateway = Part::start("gateway", &Database::placeholder(), &url, &[("QUEUE_REPLICAS", "3")]);
    for message in 0..20 {
        gateway.send_until_acknowledged(message, "sent");
    }
    servers[0].kill();
    for message in 20..40 {
        gateway.send_until_acknowledged(message, "sent");
    }
    servers[1].kill();
    let refused = gateway.send(99, "sent");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    servers[0].restart();
    gateway.send_until_acknowledged(40, "sent");
    let writer = Part::start("writer", &database, &url, &[("QUEUE_REPLICAS", "3")]);
    eventually("every acknowledged callback", || {
        let found = database.query(
            "SELECT external_id AS row FROM message_external_ids WHERE external_id <> 'SM00000000000000000000000000000063'",
        );
        (found.len() == 41).then_some(())
    });
    // The one that was answered 503 may be there as well.
    writer.wait_for("an empty stream", |state| state.pending == 0);
    drop(writer);
    let stored = super::count(&database, "webhook_requests");
    wait_for_rows(&database, "message_external_ids", stored);
}
