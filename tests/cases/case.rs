//! A case for the laws: its fixture, its kind of request, a gateway for it, the response and the rows.

use std::{fs, path::Path};

use serde_json::{Value, json};
use waybill::{
    fixture::Fixture,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

use crate::{
    pool::{self, Lease, Setup},
    support::{
        client::{self, Response},
        database::{Backend, Database},
        gateway::Gateway,
    },
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

pub(crate) fn is_verified(case: &Fixture) -> bool {
    // 503 is the response to an unsigned request of a kind that is always signed.
    ![401, 503].iter().any(|status| case.expected["status"] == *status) && case.expected["answer"]["error"] != "bad_request"
}

/// The scheme that signs the case, even if its signature is recorded.
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

/// True if the case is accepted and not quarantined.
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

/// The case's settings, and a second account, `other`, with different secrets.
pub(crate) fn variables(case: &Fixture) -> Vec<(String, String)> {
    let prefix = case.spec.prefix();
    let own = case.request.settings.iter().map(|(name, value)| (format!("{prefix}_{name}"), value.clone()));
    own.chain(case.spec.generate_variables("__OTHER__", &crate::support::random(7))).collect()
}

/// A gateway for this case only, on an existing database.
pub(crate) fn gateway_on(case: &Fixture, database: Database) -> Gateway {
    Gateway::start_on(database, now(case), &variables(case))
}

/// A gateway for the case, with empty tables.
pub(crate) fn gateway(case: &Fixture, backend: Backend) -> Lease {
    let mut variables = variables(case);
    // The clock of a shared gateway stays in one minute, while it receives the callbacks of many cases.
    if case.spec.settings.iter().any(|setting| setting.name == "RATE_LIMIT") && !case.request.settings.contains_key("RATE_LIMIT")
    {
        variables.push((format!("{}_RATE_LIMIT", case.spec.prefix()), "0".to_owned()));
    }
    variables.push(("EVENT_RETENTION_DAYS".to_owned(), "7".to_owned()));
    pool::lease(Setup { backend, now: now(case), variables })
}

/// A complete request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TestRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl TestRequest {
    pub(crate) fn send_to(&self, gateway: &Gateway) -> Response {
        client::send(gateway.address(), &self.method, &self.target, &self.headers, &self.body)
    }

    /// The request with one bit of its payload flipped: in the body or, without one, in the query.
    pub(crate) fn flipped(&self, part: usize, parts: usize) -> Self {
        let mut request = self.clone();
        if request.body.is_empty() {
            let mut target = request.target.into_bytes();
            let start = target.iter().position(|&byte| byte == b'?').map_or(0, |at| at + 1);
            let place = start + (target.len() - 1 - start) * part / parts;
            target[place] ^= 1;
            request.target = String::from_utf8(target).expect("ASCII");
        } else {
            let place = (request.body.len() - 1) * part / parts;
            request.body[place] ^= 1;
        }
        request
    }

    /// The request with a suffix appended to its payload.
    pub(crate) fn longer(&self, more: &str) -> Self {
        let mut request = self.clone();
        if request.body.is_empty() {
            request.target += more;
        } else {
            request.body.extend_from_slice(more.as_bytes());
        }
        request
    }
}

impl From<Outgoing> for TestRequest {
    fn from(Outgoing { method, target, headers, body, .. }: Outgoing) -> Self {
        Self { method, target, headers, body }
    }
}

pub(crate) fn signed_request(case: &Fixture, gateway: &Gateway) -> TestRequest {
    case.outgoing(gateway.endpoint(&path(case)), now(case)).into()
}

/// The time of the case's signature, in seconds.
pub(crate) fn signed_at(case: &Fixture, gateway: &Gateway) -> i64 {
    let headers = signed_request(case, gateway).headers;
    let header = headers.iter().find(|(name, _)| name.ends_with("-timestamp"));
    header.map_or_else(|| now(case).seconds(), |(_, seconds)| seconds.parse().expect("seconds"))
}

pub(crate) fn answer(response: &Response) -> Value {
    if response.header("Content-Type") == Some("application/json") {
        response.json()
    } else {
        String::from_utf8_lossy(&response.body).into()
    }
}

/// The rows that callbacks create, without the columns that differ between runs.
pub(crate) fn rows(gateway: &Gateway) -> Value {
    rows_except(gateway, &[])
}

/// The same without the rows of these requests.
pub(crate) fn rows_except(gateway: &Gateway, requests: &[i64]) -> Value {
    const VARYING: [&str; 12] = [
        "events_at",
        "mapping_id",
        "id",
        "created_at",
        "updated_at",
        "txid",
        "request_id",
        "received_at",
        "inbound_set_id",
        // These depend on when the request arrives, not on its content.
        "applied_rule",
        "duplicate_count",
        "last_duplicate_at",
    ];
    let table = |name: &str| -> Value {
        let mut rows = gateway.database.rows(name);
        let request = if name == "webhook_requests" { "id" } else { "request_id" };
        rows.retain(|row| !row[request].as_i64().is_some_and(|id| requests.contains(&id)));
        for row in &mut rows {
            let is_compared =
                |column: &str, value: &Value| !VARYING.contains(&column) && (column != "recipient_key" || value != "");
            row.as_object_mut().expect("an object").retain(|column, value| is_compared(column, value));
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
