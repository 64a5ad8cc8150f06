//! Responses to callbacks for messages that the application has not registered, and to their retries.

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

fn stored_external_id(gateway: &Gateway) -> String {
    gateway.database.rows("message_external_ids")[0]["external_id"].as_str().expect("an id").to_owned()
}

crate::databases! {
    fn unknown_message_is_accepted_by_default(database) {
        let gateway = gateway(database, "accept");
        let (headers, body) = signed(&gateway, "status-sent");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).json(), json!({ "success": true }));
    }

    fn unknown_message_is_404_and_stored_if_configured(database) {
        let gateway = gateway(database, "not-found");
        let (headers, body) = signed(&gateway, "status-sent");
        for _ in 0..2 {
            let response = gateway.post("/webhooks/twilio", &headers, &body);
            assert_eq!((response.status, response.json()), (404, json!({ "success": false, "error": "not_found" })));
        }
        let counts = ["message_external_ids", "webhook_events", "webhook_requests", "webhook_bodies"];
        assert_eq!(counts.map(|table| gateway.database.rows(table).len()), [1, 1, 1, 1]);
        assert_eq!(gateway.database.rows("webhook_requests")[0]["answer"], 404);
        register(&gateway, &stored_external_id(&gateway));
        let (headers, body) = signed(&gateway, "status-sent");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 404, "a retry gets the answer of the first time");
    }

    fn registered_message_is_found(database) {
        let gateway = gateway(database, "not-found");
        let (headers, body) = signed(&gateway, "status-delivered");
        assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 404);
        let external_id = stored_external_id(&gateway);
        gateway.database.execute("DELETE FROM webhook_bodies; DELETE FROM webhook_events; DELETE FROM webhook_requests; DELETE FROM message_external_ids");
        register(&gateway, &external_id);
        let first = gateway.post("/webhooks/twilio", &headers, &body);
        assert_eq!((first.status, first.json()), (200, json!({ "success": true })));
        let message = &gateway.database.rows("message_external_ids")[0];
        assert_eq!((&message["status"], &message["message_id"]), (&json!("delivered"), &json!(7)));
    }

    fn event_without_message_is_never_unknown(database) {
        let gateway = gateway(database, "not-found");
        for case in ["voice-ringing", "inbound-sms"] {
            let (headers, body) = signed(&gateway, case);
            assert_eq!(gateway.post("/webhooks/twilio", &headers, &body).status, 200, "{case}");
        }
    }

    fn retries_get_the_first_answer(database) {
        let gateway = gateway(database, "accept");
        let (headers, body) = signed(&gateway, "missing-status");
        let quarantined = [(); 2].map(|()| gateway.post("/webhooks/twilio", &headers, &body));
        let status = quarantined[0].status;
        assert!([400, 401].contains(&status) && quarantined[1].status == status);
        // Rejected at first for its signature, then verified: the rejection does not affect it.
        let (signed_headers, body) = signed(&gateway, "status-sent");
        let forged: Vec<(String, String)> =
            signed_headers.iter().map(|(name, value)| (name.clone(), value.replace('=', "A="))).collect();
        for _ in 0..2 {
            assert_eq!(gateway.post("/webhooks/twilio", &forged, &body).status, 401);
        }
        assert_eq!(gateway.post("/webhooks/twilio", &signed_headers, &body).json(), json!({ "success": true }));
    }
}
