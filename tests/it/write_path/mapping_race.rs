//! A mapping by plain SQL that is concurrent with callbacks of the same external id.

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    time::Timestamp,
};

use crate::{
    store::{all_at_once, open, run},
    support::{
        callback::received,
        database::{Backend, Database},
        direct::Direct,
        poll::wait_until,
    },
};

fn endpoint() -> Endpoint {
    let env: Env = [("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053")].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

fn sent(endpoint: &Endpoint, recipients: &Value) -> Callback {
    let body = json!({ "event": "message.sent", "message_id": "msg_1", "recipients": recipients });
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", body.to_string());
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, Timestamp::from_seconds(1_773_500_000).expect("an instant"))
}

fn store_one(store: &Direct, endpoint: &Endpoint, recipients: &Value) {
    all_at_once(store, endpoint, &[sent(endpoint, recipients)]).remove(0).expect("stored");
}

/// The gateway looks up a mapping before it inserts a row. A mapping committed in between is in the row that the callback without a
/// recipient then updates; the sweep copies it to the rows of other recipients.
#[test]
fn mapping_committed_between_look_up_and_insert_reaches_every_recipient() {
    let database = Database::new(Backend::Postgres);
    let (store, endpoint) = (open(&database), endpoint());
    store_one(&store, &endpoint, &json!(["+255123456789"]));
    let mut application = database.postgres();
    application
        .batch_execute(
            "BEGIN; INSERT INTO communication_metrics (id) VALUES (70); \
             INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (70, 'msg_1', 'mifumo')",
        )
        .expect("a mapping");
    std::thread::scope(|scope| {
        scope.spawn(|| store_one(&store, &endpoint, &json!([])));
        let waiting = "SELECT count(*)::text AS row FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
                       WHERE NOT l.granted AND l.locktype = 'transactionid' AND pg_backend_pid() <> pid \
                       AND EXISTS (SELECT 1 FROM pg_locks AS t WHERE t.pid = l.pid AND t.relation = 'message_external_ids'::regclass)";
        wait_until("the gateway at the uncommitted row", || database.query(waiting) == ["1"]);
        application.batch_execute("COMMIT").expect("committed");
    });
    run(store.sweep(Timestamp::from_seconds(1_773_500_100).expect("an instant"))).expect("a sweep");
    let rows = database.rows("message_external_ids");
    let matched: Vec<_> = rows.iter().map(|row| (&row["recipient_key"], &row["message_id"], &row["matched_by"])).collect();
    let (message, by) = (json!(70), json!("database"));
    assert_eq!(matched, [(&json!("+255123456789"), &message, &by), (&json!(""), &message, &by)]);
}
