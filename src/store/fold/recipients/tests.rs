use serde_json::json;

use super::*;

/// Rank and time of an event, its type, its status and its detail.
type Given = (u8, u8, &'static str, Option<&'static str>, Value);

fn fold<'e>(given: impl IntoIterator<Item = &'e Given>) -> Vec<Recipient> {
    let given: Vec<(&Given, [u8; 2])> = given.into_iter().map(|event| (event, [event.0, event.1])).collect();
    let event = |((_, time, event_type, status, detail), state_key): &'e (&'e Given, [u8; 2])| RecipientEvent {
        state_key,
        event_type,
        status: *status,
        provider_status: None,
        evidence: (*status == Some("delivered")).then_some("mta"),
        error_code: None,
        at: Timestamp::from_seconds(i64::from(*time)).unwrap(),
        detail,
    };
    let given: &'e [(&'e Given, [u8; 2])] = Vec::leak(given);
    recipients(&given.iter().map(event).collect::<Vec<_>>(), None)
}

/// Each recipient as `address status reported_for`.
fn summary(recipients: &[Recipient]) -> Vec<String> {
    let line = |one: &Recipient| format!("{} {} {}", one.address, one.status, one.reported_for.as_ref());
    recipients.iter().map(line).collect()
}

/// All orders of these events.
fn orders(events: Vec<&Given>) -> Vec<Vec<&Given>> {
    if events.len() < 2 {
        return vec![events];
    }
    let beginning_with = |first: usize| {
        let mut rest = events.clone();
        let first = rest.remove(first);
        orders(rest).into_iter().map(move |order| [vec![first], order].concat())
    };
    (0..events.len()).flat_map(beginning_with).collect()
}

fn event(rank: u8, time: u8, status: &'static str, detail: Value) -> Given {
    (rank, time, "message.status", Some(status), detail)
}

#[test]
fn every_order_gives_the_same_recipients() {
    let events = [
        event(30, 1, "sent", json!({ "recipient": "Ada@x.example, bob@x.example, eve@x.example" })),
        event(40, 2, "delivered", json!({ "recipient": "ada@x.example" })),
        event(
            51,
            3,
            "bounced",
            json!({ "recipient": "ada@x.example, bob@x.example", "error_category": "unknown",
            "recipients": [{ "address": "bob@x.example", "diagnostic": "550", "error_category": "mailbox_full" }] }),
        ),
        (0, 4, "message.opened", None, json!({ "recipient": "ADA@x.example" })),
        (0, 5, "message.complained", None, json!({ "recipient": "ada@x.example, eve@x.example" })),
        event(35, 6, "unconfirmed", json!({})),
    ];
    let expected = fold(&events);
    assert_eq!(
        summary(&expected),
        ["ada@x.example delivered recipient", "bob@x.example bounced recipient", "eve@x.example unconfirmed message",]
    );
    let [ada, bob, eve] = expected.as_slice() else { panic!("three recipients") };
    assert_eq!((bob.error_category.as_deref(), bob.diagnostic.as_deref()), (Some("mailbox_full"), Some("550")));
    assert_eq!(ada.opened_at.map(Timestamp::seconds), Some(4));
    assert_eq!((ada.evidence.as_deref(), bob.evidence.as_deref()), (Some("mta"), None));
    // The complaint names two recipients, of whom one complained.
    assert_eq!((ada.complained_at, eve.complained_at), (None, None));
    let all = orders(events.iter().collect());
    assert_eq!(all.len(), 720);
    assert!(all.into_iter().all(|order| fold(order) == expected));
}

#[test]
fn report_about_several_recipients_is_marked_and_yields_to_one_about_this_recipient() {
    let both = || json!({ "recipient": "a@x.example, b@x.example" });
    let bounced = event(51, 3, "bounced", both());
    assert_eq!(summary(&fold([&bounced])), ["a@x.example bounced message", "b@x.example bounced message"]);
    let delivered = event(40, 2, "delivered", json!({ "recipient": "a@x.example" }));
    assert_eq!(summary(&fold([&bounced, &delivered])), ["a@x.example delivered recipient", "b@x.example bounced message"]);
    // A status that is not final does not stand against a later one.
    let deferred = event(32, 2, "deferred", json!({ "recipient": "a@x.example" }));
    let arrived = event(40, 3, "delivered", both());
    assert_eq!(summary(&fold([&deferred, &arrived])), ["a@x.example delivered message", "b@x.example delivered message"]);
}

#[test]
fn recipient_beside_those_that_are_singled_out_has_no_report() {
    let reports = json!([{ "address": "a@x.example" }, { "address": "" }]);
    let bounced = event(51, 1, "bounced", json!({ "recipient": "a@x.example, b@x.example", "recipients": reports }));
    assert_eq!(summary(&fold([&bounced])), ["a@x.example bounced recipient", "b@x.example registered message"]);
    let shared = json!([{ "address": "a@x.example" }, { "address": "b@x.example", "is_shared": true }]);
    let bounced = event(51, 1, "bounced", json!({ "recipient": "a@x.example, b@x.example", "recipients": shared }));
    assert_eq!(summary(&fold([&bounced])), ["a@x.example bounced recipient", "b@x.example bounced message"]);
}

#[test]
fn only_recipient_has_every_event() {
    let events = [event(40, 1, "delivered", json!({ "recipient": "a@x.example" })), event(35, 2, "unconfirmed", json!({}))];
    assert_eq!(summary(&fold(&events)), ["a@x.example delivered recipient"]);
    assert_eq!(
        summary(&recipients(&[], Some("a@x.example, b@x.example"))),
        ["a@x.example registered message", "b@x.example registered message"]
    );
    assert_eq!(fold(&[event(40, 1, "delivered", json!({}))]), []);
}

#[test]
fn list_is_bounded() {
    let many = (0..150).map(|one| format!("{one}@x.example")).collect::<Vec<_>>().join(", ");
    assert_eq!(fold(&[event(30, 1, "sent", json!({ "recipient": many }))]).len(), MAX_RECIPIENTS);
}
