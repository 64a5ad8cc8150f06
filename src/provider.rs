//! What a provider is to the spine: a static [`Spec`] from which everything else is derived, and a pure [`Provider`].

use std::fmt;

use ipnet::IpNet;

use crate::{
    callback::{Callback, VerifiedCallback},
    config::settings::Settings,
    event::Event,
    form::Form,
    json,
    limiter::Limits,
    secret::Secret,
    signature::{Outgoing, Proof, Rejected, Scheme},
};

/// One line of a provider's configuration: the variable `<PROVIDER>_<NAME>`, or `<PROVIDER>__<ACCOUNT>__<NAME>`.
#[derive(Debug)]
pub struct Setting {
    /// The variable without its prefix.
    pub name: &'static str,
    /// What it means, for `.env.example`.
    pub doc: &'static str,
    /// An example or the default, for `.env.example`.
    pub example: &'static str,
    /// What the setting is to the gateway.
    pub kind: SettingKind,
}

/// What a setting is to the gateway.
#[derive(Clone, Copy, Debug)]
pub enum SettingKind {
    /// A proof of authenticity: a comma list of secrets. A provider is on when it has at least one.
    Proof {
        /// Makes a secret of the provider's form out of random bytes, for `demo`.
        fresh: fn(&[u8; 32]) -> String,
    },
    /// Changes how the gateway behaves.
    Option,
    /// Known from other programs' configuration; the gateway has no use for it.
    Unused,
}

/// Everything the gateway knows about a provider before any request arrives.
pub struct Spec {
    /// The name in `service_type`, paths and labels; in upper case the prefix of its variables.
    pub name: &'static str,
    /// The name people use.
    pub title: &'static str,
    /// The request methods it uses.
    pub methods: &'static [&'static str],
    /// Its variables.
    pub settings: &'static [Setting],
    /// Its signature schemes; all are on unless `<PROVIDER>_SIGNATURE_SCHEMES` says otherwise.
    pub schemes: &'static [&'static Scheme],
    /// Routes below the endpoint's own path, such as `swml`.
    pub routes: &'static [&'static str],
    /// What to append to the URL pasted at the provider's console.
    pub url_suffix: &'static str,
    /// Which of its callbacks it does not sign unless told to, for `check`; empty = it signs all.
    pub unsigned: &'static str,
    /// The steps at the provider's console, one per entry.
    pub console: &'static [&'static str],
    /// Unsigned headers worth keeping with a stored request (lower case). Never credentials.
    pub kept_headers: &'static [&'static str],
    /// The answer to an authentic payload that cannot be read, unless `<PROVIDER>_INVALID_PAYLOAD` says otherwise.
    pub invalid_payload: InvalidPayload,
    /// Makes the provider from its settings; every problem goes to them. Files that a setting names are read by them as well.
    pub connect: fn(&mut Settings<'_, '_>) -> Option<Box<dyn Provider>>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Setting {
    /// The token at the end of the URL, for a provider that takes one.
    pub const fn url_token(example: &'static str) -> Self {
        Self {
            name: "URL_TOKEN",
            doc: "For callbacks that are not signed: a token of 32 characters or more; the URL is then the path and `/t/` and the token.",
            example,
            kind: SettingKind::Proof { fresh: |random| hex::encode(random) },
        }
    }

    /// The list of networks, for a provider whose addresses are known.
    pub const fn allowed_ips() -> Self {
        Self {
            name: "ALLOWED_IPS",
            doc: "Networks from which callbacks may come: a comma list. Behind a proxy, TRUSTED_PROXIES must name it.",
            example: "203.0.113.0/24,2001:db8::/32",
            kind: SettingKind::Option,
        }
    }
}

impl Spec {
    /// The prefix of its variables.
    pub fn prefix(&self) -> String {
        self.name.to_uppercase()
    }

    /// The path of its unnamed account.
    pub fn default_path(&self) -> String {
        format!("/webhooks/{}", self.name)
    }

    /// The variables any of which switches it on.
    pub fn proofs(&self) -> Vec<String> {
        let proofs = self.settings.iter().filter(|setting| matches!(setting.kind, SettingKind::Proof { .. }));
        proofs.map(|setting| format!("{}_{}", self.prefix(), setting.name)).collect()
    }

    /// Its schemes that sign something.
    pub fn signatures(&self) -> impl Iterator<Item = &'static Scheme> {
        self.schemes.iter().copied().filter(|scheme| scheme.covers_payload)
    }

    /// Whether one of its schemes signs the URL, so that the public address must be right.
    pub fn signs_url(&self) -> bool {
        self.schemes.iter().any(|scheme| scheme.covers_url)
    }
}

/// What to answer to an authentic payload that cannot be read. It is kept in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::AsRefStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum InvalidPayload {
    /// 400 `invalid_payload`.
    BadRequest,
    /// 200.
    Accept,
}

/// Why an authentic payload could not be read. Stored as the reason of its quarantine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unparsable {
    /// Not decodable, or a known kind without its message id or status.
    #[error("invalid_payload: {0}")]
    Invalid(&'static str),
    /// A field that may be there once has two different values, and nothing says which is meant.
    #[error("ambiguous: {0}")]
    Ambiguous(&'static str),
}

/// Refuses a form in which one of these fields has two different values: which of them comes first is not signed.
pub(crate) fn check_scalars(form: &Form<'_>, names: &[&'static str]) -> Result<(), Unparsable> {
    names.iter().find(|name| form.is_ambiguous(name)).map_or(Ok(()), |name| Err(Unparsable::Ambiguous(name)))
}

impl From<json::Unreadable> for Unparsable {
    fn from(why: json::Unreadable) -> Self {
        match why {
            json::Unreadable::NotJson => Self::Invalid("the body is not JSON"),
            json::Unreadable::Ambiguous => Self::Ambiguous("a JSON key"),
        }
    }
}

/// In what form a provider wants to hear that its callback was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Our JSON.
    Json,
    /// An empty TwiML document, "do nothing": for anything else Twilio logs error 12300 with the message.
    Twiml,
    /// A JSON document of the operator's own, which the provider asked for.
    Document(String),
}

/// What of an endpoint's proofs stands in the URL to paste.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUrl {
    /// The variable `BASIC_AUTH`, before the host.
    pub credentials: bool,
    /// The variable `URL_TOKEN`, at the end of the path.
    pub token: bool,
    /// The variable `WEBHOOK_SECRET`, as a parameter.
    pub secret: bool,
}

/// A setting but for which a callback would be genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The setting.
    pub setting: &'static str,
    /// What is to be said of it, behind its name.
    pub says: String,
}

impl NearMiss {
    /// The scheme by which a callback is genuine is switched off.
    pub fn scheme_off(proof: &Proof<'_>) -> Self {
        let says = format!("leaves out `{}`, by which the signature is right", proof.scheme().name);
        Self { setting: "SIGNATURE_SCHEMES", says }
    }
}

/// One account at a provider, with its secrets. Pure: no async, no input or output, no clock, no global.
pub trait Provider: Send + Sync {
    /// Whether a request with this head, its body not read yet, may turn out to be genuine. If not, the body is not read.
    fn may_be_genuine(&self, _head: &Callback) -> bool {
        true
    }

    /// Proves that the callback is genuine, over the bytes received.
    fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected>;

    /// Reads the events out of a proven callback. An unknown kind is an event, not a failure.
    fn parse(&self, callback: &VerifiedCallback<'_>) -> Result<Vec<Event>, Unparsable>;

    /// In what form this callback is answered once it is stored, whatever could be read out of it.
    fn reply(&self, _callback: &VerifiedCallback<'_>) -> Reply {
        Reply::Json
    }

    /// Adds what makes the request genuine under that scheme and the first configured secret.
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing);

    /// The headers (lower case) that hold a signature or are signed with the payload: without them a callback cannot be
    /// verified again. Never those of passwords.
    fn proof_headers(&self) -> Vec<String> {
        Vec::new()
    }

    /// The second at which a callback says that it was sent, if its signature covers that.
    fn signed_at(&self, _callback: &Callback) -> Option<i64> {
        None
    }

    /// Under which other setting a callback that is not genuine would be. For diagnosis only: it is not believed.
    fn near_miss(&self, _callback: &Callback) -> Option<NearMiss> {
        None
    }

    /// The tokens any of which may stand at the end of the URL.
    fn url_tokens(&self) -> &[Secret] {
        &[]
    }

    /// What of its proofs stands in the URL to paste.
    fn in_url(&self) -> InUrl {
        InUrl { token: !self.url_tokens().is_empty(), ..InUrl::default() }
    }

    /// Credentials that the provider takes from the URL, and may sign with it.
    fn url_credentials(&self) -> &[Secret] {
        &[]
    }

    /// The networks from which callbacks may come; empty = from anywhere.
    fn allowed_ips(&self) -> &[IpNet] {
        &[]
    }

    /// The `WWW-Authenticate` header of a refusal.
    fn challenge(&self) -> Option<&'static str> {
        None
    }

    /// How many genuine callbacks it may send.
    fn limits(&self) -> Limits {
        Limits::default()
    }
}
