//! E-mail: the copies of an inbound one, the recipients of an outbound one, and its opens and clicks.

use serde_json::{Value, json};
use waybill::{signature::Outgoing, time::Timestamp};

use crate::support::{database::Database, gateway::Gateway};

const SECRET: (&str, &str) = ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
const NOW: &str = "2026-03-14T18:00:00Z";

fn gateway(database: Database) -> Gateway {
    let variables = [(SECRET.0.to_owned(), SECRET.1.to_owned())];
    Gateway::start_on(database, Timestamp::parse(NOW).expect("a time"), &variables)
}

/// Sends an event of Resend.
fn send(gateway: &Gateway, kind: &str, at: &str, data: &Value) {
    let body = json!({ "type": kind, "created_at": at, "data": data }).to_string();
    let endpoint = gateway.endpoint("/webhooks/resend");
    let seconds = Timestamp::parse(NOW).expect("a time").seconds();
    // An id has no dot, which separates it from the timestamp in the signed content.
    let id = format!("msg_{kind}_{at}_{}", body.len()).replace(['.', ':'], "-");
    let mut outgoing = Outgoing { id, seconds, ..endpoint.outgoing("POST", endpoint.path(), "application/json", body.as_str()) };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200, "{kind}");
}

crate::databases! {
    fn inbound_email_is_found_by_every_address_that_it_names(database) {
        let gateway = gateway(database);
        send(&gateway, "email.received", "2026-03-14T17:00:00Z", &json!({
            "email_id": "in-1", "from": "Ada <ada@dest.example>", "to": ["support@acme.example"],
            "cc": ["Bob <Bob@Other.example>"], "bcc": ["archive@acme.example"], "received_for": ["box@acme.example"],
            "subject": "Re: Your order", "message_id": "<CAF1@mail.dest.example>",
        }));
        let copies: Vec<String> = (0..150).map(|one| format!("c{one}@other.example")).collect();
        send(&gateway, "email.received", "2026-03-14T17:00:01Z", &json!({
            "email_id": "in-2", "from": "eve@dest.example", "to": ["x@acme.example"], "cc": copies,
        }));
        for (filter, ids) in [
            ("recipient=support@acme.example", &["in-1"][..]),
            ("recipient=bob@other.example", &["in-1"]),
            ("recipient=archive@acme.example", &["in-1"]),
            ("recipient=box@acme.example", &["in-1"]),
            ("sender=ada@dest.example", &["in-1"]),
            ("sender=bob@other.example", &[]),
            ("recipient=c99@other.example", &["in-2"]),
            ("recipient=c100@other.example", &[]),
        ] {
            let page = gateway.ops(&format!("/api/inbound?{filter}"));
            let found: Vec<&Value> = page["inbound"].as_array().expect("rows").iter().map(|row| &row["external_id"]).collect();
            assert_eq!(found, ids, "{filter}");
        }
        let page = gateway.ops("/api/inbound?sender=ada@dest.example");
        let row = &page["inbound"][0];
        let fields = ["subject", "internet_message_id", "cc", "bcc", "received_for"].map(|name| row[name].as_str().unwrap_or_default());
        let expected = ["Re: Your order", "<CAF1@mail.dest.example>", "Bob@other.example", "archive@acme.example", "box@acme.example"];
        assert_eq!(fields, expected);
    }
}
