//! The laws that hold for every recorded callback. A provider cannot be added without them.

use std::{fs, path::Path};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use waybill::{fixture::Fixture, replay::rederive, store::Rederived, time::Timestamp};

use crate::{
    case::{answer, cases, gateway, gateway_at, is_applied, is_authentic, is_form, now, path, rows, scheme, sent},
    proof::{Place, places},
    recut,
    support::{
        self,
        client::Response,
        database::{BACKENDS, Backend},
        gateway::Gateway,
    },
};

type Law = (&'static str, fn(&Fixture) -> bool, fn(&Fixture, Backend));

const LAWS: [Law; 14] = [
    ("as_recorded", |_| true, as_recorded),
    ("twice_is_once", is_authentic, twice_is_once),
    ("body_bit_flipped", |case| is_authentic(case) && scheme(case).covers_payload, body_bit_flipped),
    ("url_changed", |case| is_authentic(case) && scheme(case).covers_url, url_changed),
    ("proof_dropped", is_authentic, proof_dropped),
    ("proof_repeated", is_authentic, proof_repeated),
    ("proof_cut", is_authentic, proof_cut),
    ("stale_clock", |case| is_authentic(case) && scheme(case).tolerance.is_some(), stale_clock),
    ("other_account", is_authentic, other_account),
    ("forged_first", |case| is_authentic(case) && scheme(case).covers_payload, forged_first),
    (
        "content_type_switched",
        |case| is_authentic(case) && (covers_decoded(case) && is_form(case) || signs_bytes(case)),
        content_type_switched,
    ),
    ("blanks_decide_nothing", |case| is_applied(case) && scheme(case).name == "sms", blanks_decide_nothing),
    ("recut_is_nothing_new", |case| is_authentic(case) && covers_decoded(case), recut_is_nothing_new),
    ("recut_names_no_other", |case| is_applied(case) && covers_decoded(case), recut_names_no_other),
];

/// Whether its scheme signs the bytes of its body, whatever type they are said to be of.
fn signs_bytes(case: &Fixture) -> bool {
    scheme(case).covers_payload && !["request", "sms", "md5-plain"].contains(&scheme(case).name)
}

/// Whether its scheme signs parameters as they are decoded, or the URL, so that a captured request can be spelt anew.
fn covers_decoded(case: &Fixture) -> bool {
    scheme(case).covers_url || ["sms", "md5-plain"].contains(&scheme(case).name)
}

/// One trial per case, law and database.
pub(crate) fn trials() -> Vec<Trial> {
    let trials = cases().into_iter().flat_map(|case| {
        let laws = LAWS.into_iter().filter(|(_, applies, _)| applies(&case)).collect::<Vec<_>>();
        laws.into_iter().flat_map(move |(law, _, run)| {
            let case = case.clone();
            BACKENDS.map(move |backend| {
                let case = case.clone();
                let name = format!("{}/{} {law} {}", case.spec.name, case.name, backend.name());
                Trial::test(name, move || -> Result<(), Failed> {
                    run(&case, backend);
                    Ok(())
                })
            })
        })
    });
    trials.collect()
}

/// Refused, and no table has changed. What a wrong token at the end of the URL makes is an unknown path; a request of a kind
/// that is always signed is asked for once more when it is not.
fn assert_refused_as(case: &Fixture, gateway: &Gateway, response: &Response, before: &str, what: &str) {
    let error = match (scheme(case).name, response.status) {
        ("url-token", 404) => "not_found",
        ("jwt", 503) => "unavailable",
        _ => return assert_refused(gateway, response, before, what),
    };
    assert_eq!(response.json(), json!({ "success": false, "error": error }), "{what}");
    assert_eq!(gateway.row_counts(), before, "{what} changed a table");
}

fn assert_refused(gateway: &Gateway, response: &Response, before: &str, what: &str) {
    assert_eq!(response.status, 401, "{what}: {}", String::from_utf8_lossy(&response.body));
    assert_eq!(response.json(), json!({ "success": false, "error": "invalid_signature" }), "{what}");
    assert_eq!(gateway.row_counts(), before, "{what} changed a table");
}

/// The answer and every row are those recorded; the stored body is what was sent, byte for byte.
fn as_recorded(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let response = sent.to(&gateway);
    let seen = json!({ "status": response.status, "answer": answer(&response), "rows": rows(&gateway) });
    if support::variable("UPDATE_EXPECT").is_some() {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case.spec.name).join(&case.name).join("expected.json");
        assert_eq!(seen["status"], case.expected["status"], "the status is set by hand");
        fs::write(file, format!("{seen:#}\n")).expect("a writable fixture");
    } else {
        assert_eq!(seen, case.expected, "{seen:#}");
    }
    let bodies: Vec<Value> = gateway.database.rows("webhook_bodies").into_iter().map(|row| row["body"].clone()).collect();
    let expected: Vec<Value> = is_authentic(case).then(|| hex::encode(&sent.body).into()).into_iter().collect();
    assert_eq!(bodies, expected, "the body is kept as it came");
    read_anew(&gateway);
}

/// What is stored of a callback is enough to read the same out of it again, and to make the same rows.
fn read_anew(gateway: &Gateway) {
    let gateway = &gateway.running().gateway;
    let epoch = Timestamp::from_seconds(0).expect("an instant");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let progress =
        runtime.block_on(rederive(&gateway.store, gateway.all_endpoints(), epoch, 0, true)).expect("the store answers");
    if let Some(progress) = progress {
        assert_eq!((progress.unread, progress.rederived), (0, Rederived::default()), "read anew it says something else");
    }
}

/// The second time the answer is the same, says so where it can, and changes nothing.
fn twice_is_once(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let first = sent.to(&gateway);
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    let second = sent.to(&gateway);
    assert_eq!(second.status, first.status);
    if answer(&first) == json!({ "success": true }) {
        assert_eq!(answer(&second), json!({ "success": true, "duplicate": true }));
    } else {
        assert_eq!(answer(&second), answer(&first));
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen));
}

fn body_bit_flipped(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let before = gateway.row_counts();
    for part in 0..=2 {
        assert_refused(&gateway, &sent.flipped(part, 2).to(&gateway), &before, &format!("bit {part}"));
    }
    assert_refused(&gateway, &sent.longer("&a=1").to(&gateway), &before, "a longer payload");
}

fn url_changed(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let mut sent = sent(case, &gateway);
    let before = gateway.row_counts();
    sent.target += if sent.target.contains('?') { "&x=1" } else { "?x=1" };
    assert_refused(&gateway, &sent.to(&gateway), &before, "another query");
}

fn proof_dropped(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let before = gateway.row_counts();
    for place in places(case, &sent) {
        assert_refused_as(case, &gateway, &place.dropped(&sent).to(&gateway), &before, &format!("{place:?}"));
    }
}

fn proof_repeated(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let before = gateway.row_counts();
    for place in places(case, &sent) {
        assert_refused_as(case, &gateway, &place.doubled(&sent).to(&gateway), &before, &format!("{place:?}"));
    }
}

/// A digest of any length but the full one never matches, and nothing of it makes the gateway fail.
fn proof_cut(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let before = gateway.row_counts();
    // Of the headers beside a signature (an id, a time) other laws tell.
    let is_proof = |place: &Place| match place {
        Place::Header(index) => {
            let name = sent.headers[*index].0.to_ascii_lowercase();
            name.ends_with("-signature") || name == "authorization"
        }
        _ => true,
    };
    for place in places(case, &sent).into_iter().filter(is_proof) {
        let value = place.value(&sent);
        let mut variants: Vec<String> =
            [0, 1, value.len() / 2, value.len() - 1].iter().map(|&length| value[..length].to_owned()).collect();
        variants.extend([format!("{value}A"), "sha256=".to_owned(), "v1,".to_owned(), ",".to_owned(), "A".repeat(4_000)]);
        for variant in variants {
            assert_refused_as(case, &gateway, &place.replaced(&sent, &variant).to(&gateway), &before, &variant);
        }
    }
}

/// The boundary is inclusive both ways; a second beyond it is refused.
fn stale_clock(case: &Fixture, backend: Backend) {
    let signed_at: i64 = {
        let headers = sent(case, &gateway(case, backend)).headers;
        let header = headers.iter().find(|(name, _)| name.ends_with("-timestamp"));
        header.map_or_else(|| now(case).seconds(), |(_, seconds)| seconds.parse().expect("seconds"))
    };
    let tolerance = scheme(case).tolerance.expect("a tolerance");
    for (offset, is_fresh) in [(-tolerance, true), (tolerance, true), (-tolerance - 1, false), (tolerance + 1, false)] {
        let late = Timestamp::from_seconds(signed_at + offset).expect("an instant");
        let gateway = gateway_at(case, backend, late);
        let before = gateway.row_counts();
        let response = sent(case, &gateway).to(&gateway);
        if is_fresh {
            assert_eq!(response.status, case.expected["status"], "{offset} seconds");
        } else {
            assert_refused(&gateway, &response, &before, &format!("{offset} seconds"));
        }
    }
}

/// What one account's secret signed is nothing at another's endpoint.
fn other_account(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let mut sent = sent(case, &gateway);
    let before = gateway.row_counts();
    sent.target = sent.target.replacen(&path(case), &format!("{}/other", path(case)), 1);
    assert_refused_as(case, &gateway, &sent.to(&gateway), &before, "another account");
}

/// A forged request cannot make the genuine one a duplicate.
fn forged_first(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    assert_refused(&gateway, &sent.longer("0").to(&gateway), &gateway.row_counts(), "forged");
    let genuine = sent.to(&gateway);
    assert_eq!(genuine.status, case.expected["status"]);
    assert_eq!(answer(&genuine), case.expected["answer"]);
}

/// Verifier and reader see the same: a form that is called something else is not covered by its signature.
fn content_type_switched(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let before = gateway.row_counts();
    let others = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-16",
    ];
    for other in [None].into_iter().chain(others.map(Some)) {
        let mut switched = sent.clone();
        switched.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        switched.headers.extend(other.map(|value| ("Content-Type".to_owned(), value.to_owned())));
        let (response, what) = (switched.to(&gateway), other.unwrap_or("no content type"));
        if signs_bytes(case) {
            // Their type says nothing: it is the same callback.
            assert_eq!(
                (json!(response.status), &answer(&response)),
                (case.expected["status"].clone(), &case.expected["answer"]),
                "{what}"
            );
            assert_eq!(rows(&gateway)["message_external_ids"], case.expected["rows"]["message_external_ids"], "{what}");
            gateway.database.execute(FORGET);
        } else {
            assert_refused(&gateway, &response, &before, what);
        }
    }
}

/// The vendor's libraries disagree whether blank values are signed, so one may be added to a captured request: what is read is
/// the same.
fn blanks_decide_nothing(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    for name in
        ["status", "err-code", "messageId", "message_uuid", "request_id", "conversation_uuid", "uuid", "concat", "client-ref"]
    {
        let payload = if sent.body.is_empty() { sent.target.clone() } else { String::from_utf8_lossy(&sent.body).into_owned() };
        if payload.contains(&format!("{name}=")) || payload.contains(&format!("\"{name}\"")) {
            continue;
        }
        let mut more = sent.clone();
        if sent.body.is_empty() {
            more.target = format!("{}&{name}=+", more.target);
        } else if sent.body.starts_with(b"{") {
            more.body.splice(1..1, format!("\"{name}\":\" \",").into_bytes());
        } else {
            more.body.extend_from_slice(format!("&{name}=+").as_bytes());
        }
        let status = more.to(&gateway).status;
        if status == 401 {
            // A blank of its own is signed, so that none can be added.
            continue;
        }
        assert_eq!(status, 200, "{name}");
        let seen = rows(&gateway);
        for table in ["message_external_ids", "inbound_messages", "inbound_parts", "webhook_events"] {
            assert_eq!(seen.get(table), case.expected["rows"].get(table), "{name}: {table}");
        }
        gateway.database.execute(FORGET);
    }
}

/// However a captured request is cut, ordered or spelt anew under its signature, it is refused or it is the same request.
fn recut_is_nothing_new(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let genuine = sent.to(&gateway);
    assert_eq!(genuine.status, case.expected["status"]);
    let (counts, seen) = (gateway.row_counts(), rows(&gateway));
    for (way, recut) in recut::ways(&sent) {
        let response = recut.to(&gateway);
        let is_same = answer(&response) == json!({ "success": true, "duplicate": true }) || answer(&response) == answer(&genuine);
        assert!([401, 404].contains(&response.status) || is_same, "{way} was answered {}", response.status);
    }
    assert_eq!((gateway.row_counts(), rows(&gateway)), (counts, seen));
}

/// A recut that comes before its genuine request is refused, or it is about the same messages: some field may be missing, a
/// status may be unreadable, but nothing is said about anything else.
fn recut_names_no_other(case: &Fixture, backend: Backend) {
    let gateway = gateway(case, backend);
    let sent = sent(case, &gateway);
    let ids =
        |table: &str| -> Vec<Value> { gateway.database.rows(table).into_iter().map(|row| row["external_id"].clone()).collect() };
    let statuses =
        || -> Vec<Value> { gateway.database.rows("message_external_ids").into_iter().map(|row| row["status"].clone()).collect() };
    let empty = gateway.row_counts();
    sent.to(&gateway);
    let genuine = (ids("message_external_ids"), ids("inbound_messages"), statuses(), ids("calls"));
    gateway.database.execute(FORGET);
    for (way, recut) in recut::ways(&sent) {
        let response = recut.to(&gateway);
        if [401, 404].contains(&response.status) {
            continue;
        }
        let subset = |some: &[Value], all: &[Value]| some.iter().all(|one| all.contains(one));
        assert!(subset(&ids("message_external_ids"), &genuine.0), "{way} names another message");
        assert!(subset(&ids("inbound_messages"), &genuine.1), "{way} names another inbound message");
        assert!(subset(&ids("calls"), &genuine.3), "{way} names another call");
        let is_known = |status: &Value| *status == "unknown" || genuine.2.contains(status);
        assert!(statuses().iter().all(is_known), "{way} has another status");
        // Whatever it was, the genuine one is the same request.
        sent.to(&gateway);
        assert_eq!(gateway.database.rows("webhook_requests").len(), 1, "{way} has a key of its own");
        gateway.database.execute(FORGET);
    }
    assert_eq!(gateway.row_counts(), empty);
}

const FORGET: &str = "DELETE FROM webhook_bodies; DELETE FROM webhook_events; DELETE FROM webhook_requests; \
                      DELETE FROM message_external_ids; DELETE FROM inbound_parts; DELETE FROM inbound_sets; \
                      DELETE FROM inbound_messages; DELETE FROM calls; DELETE FROM rooms";
