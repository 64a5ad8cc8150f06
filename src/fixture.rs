//! Recorded callbacks: `fixtures/<provider>/<case>/` with `request.toml`, the exact `body`, and `expected.json`.
//!
//! The tests replay each of them; `demo` and `simulate` send those that are meant to be accepted.

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
    /// Where the payload comes from: `captured`, `vendor docs`, `vendor SDK`, `guide` (the user's document) or `own`.
    pub provenance: String,
    /// The page or file, and what was changed.
    pub source: String,
    /// The method.
    #[serde(default = "post")]
    pub method: String,
    /// The raw query, without the question mark.
    #[serde(default)]
    pub query: String,
    /// Which of the provider's routes it is for; empty = the endpoint's own.
    #[serde(default)]
    pub route: String,
    /// The scheme with which to sign; absent = the headers carry a recorded signature.
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

fn post() -> String {
    "POST".to_owned()
}

fn default_now() -> String {
    "2026-03-14T15:30:00Z".to_owned()
}

/// One recorded case.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The provider.
    pub spec: &'static Spec,
    /// The case's name.
    pub name: String,
    /// The request.
    pub request: Request,
    /// The exact body.
    pub body: Vec<u8>,
    /// What is expected: `status`, `answer`, `rows`.
    pub expected: serde_json::Value,
}

/// Why a folder is no case.
#[derive(Debug, thiserror::Error)]
#[error("fixtures/{folder}: {what}")]
pub struct BrokenFixture {
    /// The folder.
    pub folder: String,
    /// What is wrong.
    pub what: String,
}

impl Fixture {
    /// Reads one case from the texts of its files.
    pub fn parse(provider: &str, name: &str, request: &str, body: &[u8], expected: &str) -> Result<Self, BrokenFixture> {
        let broken = |what: String| BrokenFixture { folder: format!("{provider}/{name}"), what };
        let spec = providers::find(provider).ok_or_else(|| broken("no such provider".to_owned()))?;
        let request: Request = toml::from_str(request).map_err(|error| broken(error.to_string()))?;
        let expected = serde_json::from_str(expected).map_err(|error| broken(error.to_string()))?;
        Ok(Self { spec, name: name.to_owned(), request, body: body.to_vec(), expected })
    }

    /// Every case that is compiled in.
    pub fn all() -> Result<Vec<Self>, BrokenFixture> {
        let mut fixtures = FIXTURES.dirs().flat_map(Dir::dirs).map(Self::read).collect::<Result<Vec<Self>, _>>()?;
        fixtures.sort_by(|one, other| (one.spec.name, &one.name).cmp(&(other.spec.name, &other.name)));
        Ok(fixtures)
    }

    /// One case by its provider and name.
    pub fn find(provider: &str, name: &str) -> Option<Self> {
        Self::read(FIXTURES.get_dir(format!("{provider}/{name}"))?).ok()
    }

    fn read(case: &Dir<'_>) -> Result<Self, BrokenFixture> {
        let name = |depth: usize| {
            case.path().components().nth(depth).map_or(String::new(), |part| part.as_os_str().to_string_lossy().into_owned())
        };
        let file = |file: &str| case.get_file(case.path().join(file)).map(include_dir::File::contents).unwrap_or_default();
        let text = |contents| String::from_utf8_lossy(contents).into_owned();
        Self::parse(&name(0), &name(1), &text(file("request.toml")), file("body"), &text(file("expected.json")))
    }

    /// Whether any endpoint of the provider, with default options, is meant to accept it once it is signed anew.
    pub fn is_for_everyone(&self) -> bool {
        let is_proof = |name: &String| {
            self.spec.settings.iter().any(|known| known.name == name && matches!(known.kind, SettingKind::Proof { .. }))
        };
        self.expected.get("status").is_some_and(|status| status == 200)
            && self.request.sign.is_some()
            && self.request.settings.keys().all(is_proof)
    }

    /// The scheme with which to sign, if the case carries no recorded signature.
    pub fn scheme(&self) -> Option<&'static Scheme> {
        let name = self.request.sign.as_deref()?;
        self.spec.schemes.iter().copied().find(|scheme| scheme.name == name)
    }

    /// The whole request, its proof included, as if sent to that endpoint at that instant.
    pub fn outgoing(&self, endpoint: &Endpoint, now: Timestamp) -> Outgoing {
        let mut outgoing = self.unsigned(endpoint, now);
        if let Some(scheme) = self.scheme() {
            endpoint.sign(scheme, &mut outgoing);
        }
        outgoing
    }

    /// The same without its proof.
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
