//! Recorded callbacks: `fixtures/<provider>/<case>/` with `request.toml`, the exact `body`, and `expected.json`.
//!
//! The tests send each of them; `demo` and `simulate` send those that any endpoint accepts.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::{
    endpoint::Endpoint,
    provider::{SettingKind, Spec},
    providers,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// `request.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The origin of the payload: `captured`, `vendor docs`, `vendor SDK`, `guide` (an integration guide) or `own`.
    pub provenance: String,
    /// The page or file, and the changes made.
    pub source: String,
    #[serde(default = "default_method")]
    pub method: String,
    /// The raw query, without the question mark.
    #[serde(default)]
    pub query: String,
    /// One of the provider's routes, or empty for the endpoint's own path.
    #[serde(default)]
    pub route: String,
    /// The scheme to sign with. If absent, the headers contain a recorded signature.
    pub sign: Option<String>,
    /// The gateway's clock.
    #[serde(default = "default_now")]
    pub now: String,
    /// Headers besides the signature's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The provider's variables, without prefix.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

fn default_method() -> String {
    "POST".to_owned()
}

fn default_now() -> String {
    "2026-03-14T15:30:00Z".to_owned()
}

/// A recorded callback.
#[derive(Clone, Debug)]
pub struct Fixture {
    pub spec: &'static Spec,
    pub name: String,
    pub request: Request,
    pub body: Vec<u8>,
    /// The expected `status`, `answer` and `rows`.
    pub expected: serde_json::Value,
}

/// A folder of `fixtures/` is not valid.
#[derive(Debug, thiserror::Error)]
#[error("fixtures/{folder}: {problem}")]
pub struct FixtureError {
    pub folder: String,
    pub problem: String,
}

impl Fixture {
    /// Parses the files of a case.
    pub fn parse(provider: &str, name: &str, request: &str, body: &[u8], expected: &str) -> Result<Self, FixtureError> {
        let error = |problem: String| FixtureError { folder: format!("{provider}/{name}"), problem };
        let spec = providers::find(provider).ok_or_else(|| error("no such provider".to_owned()))?;
        let request: Request = toml::from_str(request).map_err(|cause| error(cause.to_string()))?;
        let expected = serde_json::from_str(expected).map_err(|cause| error(cause.to_string()))?;
        Ok(Self { spec, name: name.to_owned(), request, body: body.to_vec(), expected })
    }

    /// All cases; they are compiled in.
    pub fn all() -> Result<Vec<Self>, FixtureError> {
        let mut fixtures = FIXTURES.dirs().flat_map(Dir::dirs).map(Self::read).collect::<Result<Vec<Self>, _>>()?;
        fixtures.sort_by(|one, other| (one.spec.name, &one.name).cmp(&(other.spec.name, &other.name)));
        Ok(fixtures)
    }

    pub fn find(provider: &str, name: &str) -> Option<Self> {
        Self::read(FIXTURES.get_dir(format!("{provider}/{name}"))?).ok()
    }

    fn read(case: &Dir<'_>) -> Result<Self, FixtureError> {
        let name = |depth: usize| {
            case.path().components().nth(depth).map_or(String::new(), |part| part.as_os_str().to_string_lossy().into_owned())
        };
        let file = |file: &str| case.get_file(case.path().join(file)).map(include_dir::File::contents).unwrap_or_default();
        let text = |contents| String::from_utf8_lossy(contents).into_owned();
        Self::parse(&name(0), &name(1), &text(file("request.toml")), file("body"), &text(file("expected.json")))
    }

    /// Returns true if any endpoint of the provider with default options accepts it once it is signed.
    pub fn is_sendable(&self) -> bool {
        let is_proof =
            |name: &String| self.spec.settings.iter().any(|known| known.name == name && known.kind == SettingKind::Proof);
        self.expected.get("status").is_some_and(|status| status == 200)
            && self.request.sign.is_some()
            && self.request.settings.keys().all(is_proof)
    }

    /// The scheme to sign with, unless the case has a recorded signature.
    pub fn scheme(&self) -> Option<&'static Scheme> {
        let name = self.request.sign.as_deref()?;
        self.spec.schemes.iter().copied().find(|scheme| scheme.name == name)
    }

    /// The signed request, as if sent to that endpoint at that instant.
    pub fn outgoing(&self, endpoint: &Endpoint, now: Timestamp) -> Outgoing {
        let mut outgoing = self.unsigned(endpoint, now);
        if let Some(scheme) = self.scheme() {
            endpoint.sign(scheme, &mut outgoing);
        }
        outgoing
    }

    /// The request before it is signed.
    pub fn unsigned(&self, endpoint: &Endpoint, now: Timestamp) -> Outgoing {
        let path = endpoint.route_path(&self.request.route);
        let query = &self.request.query;
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let mut outgoing = endpoint.outgoing(&self.request.method, target, "", self.body.clone());
        outgoing.headers = self.request.headers.clone().into_iter().collect();
        outgoing.id = format!("msg_{}", self.name.replace('-', "_"));
        outgoing.seconds = now.seconds();
        outgoing
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn channels_are_those_of_the_spec() {
        for Fixture { spec, name, expected, .. } in Fixture::all().expect("fixtures") {
            let known: Vec<&str> = spec.channels.iter().map(AsRef::as_ref).collect();
            for table in ["message_external_ids", "inbound_messages"] {
                let rows = expected["rows"][table].as_array().into_iter().flatten();
                for channel in rows.filter_map(|row| row.get("channel").and_then(Value::as_str)) {
                    assert!(known.contains(&channel), "{}/{name}: {channel}", spec.name);
                }
            }
        }
    }
}
