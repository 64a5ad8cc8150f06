//! Requests as a provider sends them: built from the facts, and signed.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use waybill::{callback::Callback, endpoint::Endpoint, signature::Outgoing, time::Timestamp, url_token};

use super::{
    case::{Fact, Message, Table},
    facts::{BASE, ID, Payload, RECIPIENTS, Recipients, Time},
};
use crate::support::callback::received;

/// The instant at which a fact is received, in microseconds, in an order of its own. Requests with named events share one instant,
/// because an event has that of the request stored first. No other fact has that instant, because it identifies the rows of
/// `webhook_events`.
pub fn received_at(fact: &Fact, index: usize) -> i64 {
    const NAMED: i64 = 105_500_000;
    let of_place = || (100 + i64::try_from(index * 7 % 11).expect("few")) * 1_000_000;
    BASE * 1_000_000 + if fact.shape.payload == Payload::CloudEvents { NAMED } else { of_place() }
}

/// The instant of an event, in microseconds.
pub fn occurred_at(fact: &Fact) -> Option<i64> {
    fact.time.map(|time| BASE * 1_000_000 + time)
}

/// A request of the message, signed for the endpoint.
pub fn callback(endpoint: &Endpoint, message: &Message, request: usize) -> Callback {
    let facts: Vec<(usize, &Fact)> = message.requests[request].iter().map(|&index| (index, &message.facts[index])).collect();
    let (index, fact) = facts[0];
    let (mut target, media_type, body) = match fact.shape.payload {
        Payload::Form => form(endpoint, fact, index),
        Payload::Json => json(endpoint, &document(fact, index)),
        Payload::CloudEvents if facts.len() == 1 => json(endpoint, &document(fact, index)),
        Payload::CloudEvents => json(endpoint, &facts.into_iter().map(|(index, fact)| document(fact, index)).collect()),
    };
    if fact.shape.scheme == "request" && fact.shape.payload != Payload::Form {
        target += &format!("?bodySHA256={}", hex::encode(Sha256::digest(&body)));
    }
    let at = Timestamp::from_micros(received_at(fact, index)).expect("an instant");
    let table = if message.table == Table::Messages { "message" } else { "inbound" };
    let outgoing = endpoint.outgoing("POST", target, media_type, body);
    sign(endpoint, fact.shape.scheme, Outgoing { id: format!("{table}_{request}"), seconds: at.seconds(), ..outgoing }, at)
}

fn sign(endpoint: &Endpoint, scheme: &str, mut outgoing: Outgoing, at: Timestamp) -> Callback {
    let scheme = endpoint.spec.schemes.iter().find(|one| one.name == scheme).expect("a scheme of that name");
    endpoint.sign(scheme, &mut outgoing);
    let token = outgoing.target.split_once(url_token::SEGMENT).and_then(|(_, token)| endpoint.grant(token));
    Callback { url_token: token, ..received(endpoint, outgoing, at) }
}

/// The texts of a fact by place; a later text overrides an earlier one at its place.
fn texts(fact: &Fact, index: usize) -> Vec<(&'static str, String)> {
    let shape = fact.shape;
    let choices = fact.choices.iter().flat_map(|choice| choice.wire);
    let fixed = shape.fixed.wire.iter().chain(fact.word.wire).chain(choices);
    let mut texts: Vec<(&str, String)> = fixed.map(|&(place, text)| (place, text.to_owned())).collect();
    texts.push((shape.id, quoted(ID)));
    if !fact.word.text.is_empty() {
        texts.push((shape.word, quoted(fact.word.text)));
    }
    texts.extend(fact.reference.map(|reference| (shape.reference, quoted(reference.text))));
    texts.extend(time(fact));
    texts.extend(recipients(fact));
    // Makes the requests of any two facts different.
    texts.push(if shape.payload == Payload::Form {
        ("MessagingServicePlace", index.to_string())
    } else {
        ("/place", index.to_string())
    });
    if shape.payload == Payload::CloudEvents {
        texts.push(("/id", quoted(&format!("EZ{index}"))));
    }
    texts
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn time(fact: &Fact) -> Option<(&'static str, String)> {
    let at = Timestamp::from_micros(occurred_at(fact)?)?;
    match fact.shape.time {
        Time::Absent => None,
        Time::Iso(place) => Some((place, quoted(&at.to_string()))),
        Time::WithoutZone(place) => Some((place, quoted(&at.naive().to_string()))),
    }
}

fn recipients(fact: &Fact) -> Option<(&'static str, String)> {
    let mut named = fact.recipients.iter().map(|&one| Value::from(RECIPIENTS[one].0));
    match fact.shape.recipients {
        Recipients::NotInKey => None,
        Recipients::One(place) => Some((place, named.next()?.to_string())),
        Recipients::Many(place) => Some((place, Value::Array(named.collect()).to_string())),
    }
}

fn json(endpoint: &Endpoint, document: &Value) -> (String, &'static str, String) {
    (endpoint.path(), "application/json", document.to_string())
}

fn document(fact: &Fact, index: usize) -> Value {
    let mut document = Value::Object(Map::new());
    for (place, text) in texts(fact, index) {
        let mut at = &mut document;
        for name in place.split('/').skip(1) {
            at = at.as_object_mut().expect("an object").entry(name).or_insert_with(|| Value::Object(Map::new()));
        }
        *at = serde_json::from_str(&text).unwrap_or(Value::String(text));
    }
    document
}

fn form(endpoint: &Endpoint, fact: &Fact, index: usize) -> (String, &'static str, String) {
    let (mut query, mut parameters) = (Vec::new(), Vec::<(&str, String)>::new());
    for (place, text) in texts(fact, index) {
        let text = serde_json::from_str(&text).ok().and_then(|value: Value| value.as_str().map(str::to_owned)).unwrap_or(text);
        let text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        if let Some(name) = place.strip_prefix('?') {
            query.push(format!("?{name}={text}"));
        } else {
            parameters.retain(|(name, _)| *name != place);
            parameters.push((place, text));
        }
    }
    let pairs: Vec<String> = parameters.iter().map(|(name, text)| format!("{name}={text}")).collect();
    (endpoint.path() + &query.concat(), "application/x-www-form-urlencoded", pairs.join("&"))
}
