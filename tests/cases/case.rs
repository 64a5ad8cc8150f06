//! A case as the laws use it: its folder, what kind of request it is, a gateway for it, and what is seen of the answer.

use std::{fs, path::Path};

use serde_json::{Value, json};
use waybill::{
    fixture::Fixture,
    provider::SettingKind,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

use crate::support::{
    client::{self, Response},
    database::{Backend, Database},
    gateway::Gateway,
};

pub(crate) type Headers = Vec<(String, String)>;

/// Every folder of `fixtures/`.
pub(crate) fn cases() -> Vec<Fixture> {
    let mut cases = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for provider in folders(&folder) {
        for name in folders(&folder.join(&provider)) {
            let file = |file: &str| {
                fs::read(folder.join(&provider).join(&name).join(file))
                    .unwrap_or_else(|error| panic!("{provider}/{name}/{file}: {error}"))
            };
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
            let case = Fixture::parse(&provider, &name, &text(file("request.toml")), &file("body"), &text(file("expected.json")));
            cases.push(case.unwrap_or_else(|error| panic!("{error}")));
        }
    }
    cases.sort_by(|one, other| (one.spec.name, &one.name).cmp(&(other.spec.name, &other.name)));
    cases
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().expect("UTF-8")).collect()
}

pub(crate) fn is_authentic(case: &Fixture) -> bool {
    // 503: of a kind that is signed, and not signed.
    ![401, 503].iter().any(|status| case.expected["status"] == *status)
}

/// The scheme by which the case is signed, also where the signature is recorded.
pub(crate) fn scheme(case: &Fixture) -> &'static Scheme {
    let recorded = || {
        let has = |wanted: fn(&str, &str) -> bool| case.request.headers.iter().any(|(name, value)| wanted(name, value));
        let name = match () {
            () if has(|name, _| name.starts_with("svix-")) => "svix",
            () if has(|name, value| name.to_lowercase().ends_with("-signature") && value.starts_with("sha256=")) => "body-sha256",
            () if case.spec.schemes.iter().any(|scheme| scheme.name == "request") => "request",
            () => "body-sha256",
        };
        case.spec.schemes.iter().copied().find(|scheme| scheme.name == name).expect("a scheme of that name")
    };
    case.scheme().unwrap_or_else(recorded)
}

/// Whether it is accepted and not quarantined.
pub(crate) fn is_applied(case: &Fixture) -> bool {
    case.expected["rows"]["webhook_requests"].as_array().is_some_and(|rows| rows.iter().any(|row| row["state"] == "processed"))
}

pub(crate) fn is_form(case: &Fixture) -> bool {
    !case.body.is_empty() && case.request.headers.get("Content-Type").is_some_and(|value| value.contains("form-urlencoded"))
}

pub(crate) fn now(case: &Fixture) -> Timestamp {
    Timestamp::parse(&case.request.now).expect("an instant")
}

pub(crate) fn path(case: &Fixture) -> String {
    case.request.settings.get("WEBHOOK_URL").cloned().unwrap_or_else(|| case.spec.default_path())
}

/// A gateway with the case's settings and a second account, `other`, with secrets of its own.
pub(crate) fn gateway_at(case: &Fixture, backend: Backend, now: Timestamp) -> Gateway {
    let prefix = case.spec.prefix();
    let mut variables: Vec<(String, String)> =
        case.request.settings.iter().map(|(name, value)| (format!("{prefix}_{name}"), value.clone())).collect();
    for setting in case.spec.settings {
        if let SettingKind::Proof { fresh } = setting.kind {
            variables.push((format!("{prefix}__OTHER__{}", setting.name), fresh(&[7; 32])));
        }
    }
    Gateway::on(Database::ready(backend), now, &variables)
}

pub(crate) fn gateway(case: &Fixture, backend: Backend) -> Gateway {
    gateway_at(case, backend, now(case))
}

/// One request as it goes over the wire.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn to(&self, gateway: &Gateway) -> Response {
        client::send(gateway.address(), &self.method, &self.target, &self.headers, &self.body)
    }

    /// The payload with one bit flipped at that place of it: in the body or, without one, in the query.
    pub(crate) fn flipped(&self, part: usize, of: usize) -> Self {
        let mut sent = self.clone();
        if sent.body.is_empty() {
            let mut target = sent.target.into_bytes();
            let start = target.iter().position(|&byte| byte == b'?').map_or(0, |at| at + 1);
            let place = start + (target.len() - 1 - start) * part / of;
            target[place] ^= 1;
            sent.target = String::from_utf8(target).expect("ASCII");
        } else {
            let place = (sent.body.len() - 1) * part / of;
            sent.body[place] ^= 1;
        }
        sent
    }

    /// The payload with something at its end.
    pub(crate) fn longer(&self, more: &str) -> Self {
        let mut sent = self.clone();
        if sent.body.is_empty() {
            sent.target += more;
        } else {
            sent.body.extend_from_slice(more.as_bytes());
        }
        sent
    }
}

pub(crate) fn sent(case: &Fixture, gateway: &Gateway) -> Sent {
    let Outgoing { method, target, headers, body, .. } = case.outgoing(gateway.endpoint(&path(case)), now(case));
    Sent { method, target, headers, body }
}

pub(crate) fn answer(response: &Response) -> Value {
    if response.header("Content-Type") == Some("application/json") {
        response.json()
    } else {
        String::from_utf8_lossy(&response.body).into()
    }
}

/// The rows that callbacks make, without what differs from run to run.
pub(crate) fn rows(gateway: &Gateway) -> Value {
    const VARYING: [&str; 10] = [
        "id",
        "created_at",
        "updated_at",
        "txid",
        "request_id",
        "received_at",
        "inbound_set_id",
        // Of the way in which it came, not of what it says.
        "applied_rule",
        "duplicate_count",
        "last_duplicate_at",
    ];
    let table = |name: &str| -> Value {
        let mut rows = gateway.database.rows(name);
        for row in &mut rows {
            let is_told = |column: &str, value: &Value| !VARYING.contains(&column) && (column != "recipient_key" || value != "");
            row.as_object_mut().expect("an object").retain(|column, value| is_told(column, value));
        }
        rows.into()
    };
    let mut rows = json!({
        "message_external_ids": table("message_external_ids"),
        "webhook_events": table("webhook_events"),
        "webhook_requests": table("webhook_requests"),
    });
    for name in ["inbound_messages", "inbound_parts", "calls", "rooms"] {
        let seen = table(name);
        if seen.as_array().is_some_and(|rows| !rows.is_empty()) {
            rows[name] = seen;
        }
    }
    rows
}
