//! An e-mail to many recipients: every address is stored, and can be searched for.

use serde_json::{Value, json};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    signature::Outgoing,
    store::{MessageFilter, Store},
    time::Timestamp,
};

use crate::{
    store::{all_at_once, open, run},
    support::{callback::received, database::Database, poll::wait_until},
};

const COUNT: usize = 46;

/// An endpoint for e-mail.
pub fn endpoint() -> Endpoint {
    let env: Env = [
        ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
        ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
    ]
    .into_iter()
    .collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

/// A signed event of an e-mail, with a unique id.
pub fn event(endpoint: &Endpoint, id: &str, kind: &str, data: &Value) -> Callback {
    let at = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let document = json!({ "type": kind, "created_at": "2026-03-14T15:27:11.482Z", "data": data });
    let outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", document.to_string());
    let mut outgoing = Outgoing { id: id.to_owned(), seconds: at.seconds(), ..outgoing };
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    received(endpoint, outgoing, at)
}

fn address(place: usize) -> String {
    format!("recipient-{place}-with-a-long-name@department-{place}.dest.example")
}

/// The ids of the messages to that address.
fn ids_found(store: &Store, address: &str) -> Vec<i64> {
    let filter = MessageFilter { recipient: Some(address.to_owned()), limit: 10, ..MessageFilter::default() };
    store.messages(&filter).expect("the store answers").items.into_iter().map(|message| message.id).collect()
}

fn assert_found(store: &Store, id: i64) {
    for place in [1, 23, COUNT] {
        assert_eq!(ids_found(store, &address(place)), [id], "recipient {place}");
        assert_eq!(ids_found(store, &address(place).to_uppercase()), [id], "recipient {place}, in capitals");
    }
    for unknown in [address(0), address(COUNT + 1), address(2)[1..].to_owned()] {
        assert!(ids_found(store, &unknown).is_empty(), "{unknown}");
    }
}

crate::databases! {
    fn forty_six_recipients_are_stored_and_found(database) {
        let (store, endpoint) = (open(&database), endpoint());
        let to: Vec<String> = (1..=COUNT).map(|place| format!("Recipient {place} <{}>", address(place))).collect();
        let data = json!({ "email_id": "e-1", "from": "ACME <hello@acme.example>", "to": to, "subject": "News" });
        all_at_once(&store, &endpoint, &[event(&endpoint, "msg_1", "email.delivered", &data)]).remove(0).expect("stored");
        let row = database.rows("message_external_ids").remove(0);
        let all: Vec<String> = (1..=COUNT).map(address).collect();
        assert_eq!(row["recipient"], all.join(", "));
        let id = row["id"].as_i64().expect("an id");
        assert!(database.rows("message_addresses").is_empty(), "addresses are derived later");
        assert_found(&store, id);
        wait_until("the derived table", || run(store.derive()).expect("derived") == 0);
        let mut rows: Vec<String> = database.rows("message_addresses").iter()
            .filter(|row| row["role"] == "recipient" && row["owner"] == "mapping" && row["owner_id"] == id)
            .map(|row| row["address"].as_str().expect("an address").to_owned())
            .collect();
        rows.sort_by_key(|address| all.iter().position(|one| one == address));
        assert_eq!(rows, all);
        assert_found(&store, id);
    }
}
