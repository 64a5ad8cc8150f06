//! Configured opt-out words: of every provider alike, also in a message that is joined from parts.

use serde_json::{Value, json};
use waybill::{
    config::{Config, Env},
    time::Timestamp,
};

use crate::support::{database::Database, gateway::Gateway};

const TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";

fn gateway(database: Database) -> Gateway {
    let now = Timestamp::parse("2026-03-14T15:30:00Z").expect("an instant");
    let variables = [
        ("VONAGE_URL_TOKEN", TOKEN),
        ("CONVERSATION_URL_TOKEN", TOKEN),
        ("OPT_OUT_WORDS", "Arrêt, no more"),
        ("OPT_IN_WORDS", "OUI"),
        ("HELP_WORDS", "aide"),
    ];
    Gateway::start_on(database, now, &variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn send(gateway: &Gateway, provider: &str, body: &Value) {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let response = gateway.post(&format!("/webhooks/{provider}/t/{TOKEN}"), &headers, body.to_string().as_bytes());
    assert_eq!(response.status, 200);
}

fn message(id: &str, text: &str) -> Value {
    json!({ "message_uuid": id, "channel": "sms", "from": "447700900001", "to": "447700900000", "message_type": "text", "text": text })
}

fn part(id: &str, number: u8, text: &str) -> Value {
    json!({
        "msisdn": "447700900001", "to": "447700900000", "messageId": id, "text": text, "type": "text", "concat": "true",
        "concat-ref": "7", "concat-total": "2", "concat-part": number.to_string(),
    })
}

fn opt_outs(database: &Database) -> Vec<Value> {
    database.rows("inbound_messages").iter().map(|row| json!([row["external_id"], row.get("opt_out")])).collect()
}

crate::databases! {
    fn configured_words_are_recognized_beside_the_built_in_ones(database) {
        let gateway = gateway(database);
        for (id, text) in [("a", "ARRÊT !"), ("b", "no-more."), ("c", "Oui"), ("d", "«Aide»"), ("e", "stop"), ("f", "oui merci")] {
            send(&gateway, "vonage", &message(id, text));
        }
        let chat = json!({
            "conversation_id": "c1", "data": { "id": "g", "type": "USER_INPUT", "channel": "SMS", "status": "RECEIVED",
            "content": "arrêt" },
        });
        send(&gateway, "conversation", &chat);
        send(&gateway, "vonage", &part("h", 1, "ARR"));
        send(&gateway, "vonage", &part("i", 2, "ÊT."));
        let expected = json!([
            ["a", "stop"], ["b", "stop"], ["c", "start"], ["d", "help"], ["e", "stop"], ["f", null], ["g", "stop"], ["h", "stop"],
        ]);
        assert_eq!(json!(opt_outs(&gateway.database)), expected);
    }
}

#[test]
fn words_that_are_empty_too_long_or_of_two_meanings_are_problems() {
    let problems = |name: &str, value: &str| -> Vec<String> {
        let environment: Env = [(name, value)].into_iter().collect();
        Config::load(&environment).err().map(|problems| problems.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
    };
    for (name, valid) in
        [("OPT_OUT_WORDS", "arrêt, para,STOP"), ("OPT_IN_WORDS", "oui"), ("HELP_WORDS", "aide me"), ("HELP_WORDS", "")]
    {
        assert_eq!(problems(name, valid), Vec::<String>::new(), "{name}={valid}");
    }
    let long = "a".repeat(41);
    let many = ["word"; 201].join(",");
    for (name, invalid) in [
        ("OPT_OUT_WORDS", "arrêt,,para"),
        ("OPT_OUT_WORDS", "…"),
        ("OPT_OUT_WORDS", &long),
        ("OPT_OUT_WORDS", &many),
        ("OPT_OUT_WORDS", "help"),
        ("OPT_IN_WORDS", "Opt out"),
        ("HELP_WORDS", "start"),
    ] {
        let found = problems(name, invalid);
        assert!(found.len() == 1 && found[0].starts_with(name), "{name}={invalid}: {found:?}");
    }
    let environment: Env = [("OPT_OUT_WORDS", "fin"), ("HELP_WORDS", "FIN.")].into_iter().collect();
    let problems = Config::load(&environment).expect_err("one word with two meanings").0;
    assert_eq!(problems.iter().map(|one| one.variable.as_str()).collect::<Vec<_>>(), ["HELP_WORDS"]);
}
