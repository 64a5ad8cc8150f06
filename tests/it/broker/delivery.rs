//! Publishing and consuming.

use super::{Nats, Part, count, wait_for_rows};
use crate::support::database::{Backend, Database};

crate::databases! {
    fn callbacks_pass_from_gateways_to_writers(database) {
        let nats = Nats::start();
        let gateways = [(); 2].map(|()| Part::start("gateway", &Database::placeholder(), &nats.url(), &[]));
        for message in 0..20 {
            gateways[0].send_until_acknowledged(message, "sent");
        }
        gateways[0].wait_for("the lag", |state| state.pending == 20 && state.oldest.is_some() && state.bytes > 0);
        // A copy is recognized by the broker, whichever gateway it reaches.
        gateways[1].wait_for("a connection", |state| !state.is_failing);
        let copy = gateways[1].send(7, "sent");
        assert_eq!((copy.status, copy.json()), (200, serde_json::json!({ "success": true, "duplicate": true })));
        let writers = [(); 2].map(|()| Part::start("writer", &database, &nats.url(), &[]));
        wait_for_rows(&database, "webhook_requests", 20);
        for message in 0..20 {
            assert_eq!(gateways[usize::try_from(message % 2).expect("0 or 1")].send(message, "delivered").status, 200);
        }
        wait_for_rows(&database, "webhook_requests", 40);
        writers[0].wait_for("an empty stream", |state| state.pending == 0);
        assert_eq!(count(&database, "message_external_ids"), 20);
        let statuses = database.query("SELECT DISTINCT status AS row FROM message_external_ids");
        assert_eq!(statuses, ["delivered"]);
    }
}

/// One process can do both.
#[test]
fn one_process_has_both_roles() {
    let (nats, database) = (Nats::start(), Database::new(Backend::Sqlite));
    let part = Part::start("all", &database, &nats.url(), &[]);
    part.send_until_acknowledged(1, "sent");
    wait_for_rows(&database, "webhook_requests", 1);
}
