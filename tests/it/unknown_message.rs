//! What is answered about a message that the application has not registered, and to the retries of each answer.

use serde_json::json;
use waybill::{fixture::Fixture, time::Timestamp};

use crate::support::{database::Database, gateway::Gateway, twilio};

type Signed = (Vec<(String, String)>, Vec<u8>);

fn gateway(database: Database, unknown: &str) -> Gateway {
    twilio::gateway(database, 0, &[("UNKNOWN_MESSAGE_RESPONSE", unknown)])
}

fn signed(gateway: &Gateway, case: &str) -> Signed {
    let fixture = Fixture::all()
        .expect("fixtures")
        .into_iter()
        .find(|fixture| fixture.spec.name == "twilio" && fixture.name == case)
        .expect("a case");
    let outgoing = fixture.outgoing(gateway.endpoint("/webhooks/twilio"), Timestamp::from_seconds(0).expect("an instant"));
    (outgoing.headers, outgoing.body)
}

fn register(gateway: &Gateway, external_id: &str) {
    gateway.database.execute("INSERT INTO communication_metrics (id, reference) VALUES (7, 'order-771')");
    gateway.database.execute(&format!(
        "INSERT INTO message_external_ids (message_id, external_id, service_type) VALUES (7, '{external_id}', 'twilio') \
         ON CONFLICT (service_type, account, external_id, recipient_key) DO UPDATE SET message_id = EXCLUDED.message_id"
    ));
}

fn id_of(gateway: &Gateway) -> String {
    gateway.database.rows("message_external_ids")[0]["external_id"].as_str().expect("an id").to_owned()
}

crate::databases! {
    fn by_default_an_unknown_message_is_a_success(database) {
        let gateway = gateway(database, "accept");
        let (headers, body) = signed(&gateway, "status-sent");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).json(), json!({ "success": true }));
    }

    fn if_asked_for_it_is_404_and_kept_all_the_same_and_so_is_its_retry(database) {
        let gateway = gateway(database, "not-found");
        let (headers, body) = signed(&gateway, "status-sent");
        for _ in 0..2 {
            let response = gateway.post("/webhooks/twilio", &headers, &body);
            assert_eq!((response.status, response.json()), (404, json!({ "success": false, "error": "not_found" })));
        }
        let counts = ["message_external_ids", "webhook_events", "webhook_requests", "webhook_bodies"];
        assert_eq!(counts.map(|table| gateway.database.rows(table).len()), [1, 1, 1, 1]);
        assert_eq!(gateway.database.rows("webhook_requests")[0]["answer"], 404);
        register(&gateway, &id_of(&gateway));
        let (headers, body) = signed(&gateway, "status-sent");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 404, "a retry gets the answer of the first time");
    }

    fn a_registered_message_is_found(database) {
        let gateway = gateway(database, "not-found");
        let (headers, body) = signed(&gateway, "status-delivered");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 404);
        let external_id = id_of(&gateway);
        gateway.database.execute("DELETE FROM webhook_bodies; DELETE FROM webhook_events; DELETE FROM webhook_requests; DELETE FROM message_external_ids");
        register(&gateway, &external_id);
        let first = gateway.post("/webhooks/twilio", &headers, &body);
        assert_eq!((first.status, first.json()), (200, json!({ "success": true })));
        let message = &gateway.database.rows("message_external_ids")[0];
        assert_eq!((&message["status"], &message["message_id"]), (&json!("delivered"), &json!(7)));
    }

    fn what_is_about_no_message_is_never_unknown(database) {
        let gateway = gateway(database, "not-found");
        for case in ["voice-ringing", "inbound-sms"] {
            let (headers, body) = signed(&gateway, case);
            assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 200, "{case}");
        }
    }

    fn a_refused_request_may_come_again_and_a_quarantined_one_gets_its_answer(database) {
        let gateway = gateway(database, "accept");
        let (headers, body) = signed(&gateway, "missing-status");
        let quarantined = [(); 2].map(|()| gateway.post("/webhooks/twilio", &headers, &body));
        let status = quarantined[0].status;
        assert!([400, 401].contains(&status) && quarantined[1].status == status);
        // Refused at first for its signature, then genuine: nothing of the first time stands in its way.
        let (genuine, body) = signed(&gateway, "status-sent");
        let forged: Vec<(String, String)> =
            genuine.iter().map(|(name, value)| (name.clone(), value.replace('=', "A="))).collect();
        for _ in 0..2 {
            assert_eq!(gateway.post("/webhooks/twilio", &forged, &body).status, 401);
        }
        assert_eq!(gateway.post("/webhooks/twilio", &genuine, &body).json(), json!({ "success": true }));
    }
}
