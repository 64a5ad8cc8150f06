//! The interface of a provider: a static [`Spec`], from which routes, configuration, documents and tests are derived, and a pure
//! [`Provider`].

mod settings;

use std::fmt;

use ipnet::IpNet;

use crate::{
    callback::Callback,
    event::{Event, EventType},
    form::Form,
    json,
    limiter::Limits,
    secret::Secret,
    signature::{
        IsListed, Proof, Readable, Scheme, Signer, VerifyError, Work,
        body_only::{self, BodyOnly},
    },
    status::Channel,
};

pub use settings::Settings;

/// A setting of a provider: the variable `<PROVIDER>_<NAME>`, or `<PROVIDER>__<ACCOUNT>__<NAME>`.
#[derive(Debug)]
pub struct Setting {
    /// The variable without its prefix.
    pub name: &'static str,
    /// The description in `.env.example`.
    pub doc: &'static str,
    /// An example or the default, for `.env.example`.
    pub example: &'static str,
    pub kind: SettingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Verifies callbacks: a comma list of secrets or public keys. A provider is enabled if at least one is set.
    Proof,
    /// A secret of programs that share the configuration, which the gateway ignores.
    UnusedSecret,
    /// Any other setting, also one of programs that share the configuration, which the gateway ignores.
    Option,
}

impl SettingKind {
    /// True for a setting that may be in a file.
    pub fn is_secret(self) -> bool {
        self != Self::Option
    }
}

/// The static description of a provider.
pub struct Spec {
    /// The name in `service_type`, paths and labels; in upper case the prefix of its variables.
    pub name: &'static str,
    /// The name in texts.
    pub title: &'static str,
    /// The channels of its messages and calls.
    pub channels: &'static [Channel],
    /// The request methods that it uses.
    pub methods: &'static [&'static str],
    pub settings: &'static [Setting],
    /// Its signature schemes; all are accepted unless `<PROVIDER>_SIGNATURE_SCHEMES` names some.
    pub schemes: &'static [&'static Scheme],
    /// Routes below the endpoint's own path, such as `swml`.
    pub routes: &'static [&'static str],
    /// Appended to the URL that is pasted at the provider's console.
    pub url_suffix: &'static str,
    /// The callbacks that it does not sign by default, for `check`; empty if it signs all.
    pub unsigned: &'static str,
    /// The effect of a 404 on the provider, for `check`: the rest of a sentence that begins with its title. Empty if it has none.
    pub after_not_found: &'static str,
    /// The steps at the provider's console, one per entry.
    pub console: &'static [&'static str],
    /// Unsigned headers that are stored with a request (lower case). Never credentials.
    pub stored_headers: &'static [&'static str],
    /// The response to a verified payload that cannot be parsed, unless `<PROVIDER>_INVALID_PAYLOAD` sets another.
    pub invalid_payload: InvalidPayload,
    /// Makes the provider from the settings of one account, and reports problems to them. They also read the files that they name.
    pub connect: fn(&mut Settings<'_>) -> Option<Box<dyn Provider>>,
    /// Makes the signer of one account from the same settings: with the verifier's secret, or with the private key of a pair, which
    /// is then a setting of its own that the verifier does not need.
    pub signer: fn(&mut Settings<'_>) -> Box<dyn Signer>,
    /// Makes values of settings from random bytes, for `demo` and the tests: for every proof, and for a private key.
    pub generate: fn(&[u8; 32]) -> Vec<(&'static str, String)>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Setting {
    /// The token at the end of the URL, for a provider with unsigned callbacks.
    pub const fn url_token(example: &'static str) -> Self {
        Self {
            name: "URL_TOKEN",
            doc: "Token for callbacks that are not signed, at least 32 characters. The URL is then the path with `/t/` and the token appended.",
            example,
            kind: SettingKind::Proof,
        }
    }

    /// The list of networks, for a provider with known addresses.
    pub const fn allowed_ips() -> Self {
        Self {
            name: "ALLOWED_IPS",
            doc: "Networks from which callbacks are accepted, a comma-separated list. Behind a proxy, set TRUSTED_PROXIES.",
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

    /// The path of the unnamed account.
    pub fn default_path(&self) -> String {
        format!("/webhooks/{}", self.name)
    }

    /// The variables of which at least one enables it.
    pub fn proofs(&self) -> Vec<String> {
        let proofs = self.settings.iter().filter(|setting| setting.kind == SettingKind::Proof);
        proofs.map(|setting| format!("{}_{}", self.prefix(), setting.name)).collect()
    }

    /// Variables with values made from random bytes, which enable an account by every proof: the unnamed one with the infix `_`,
    /// another with `__ACME__`.
    pub fn generate_variables(&self, infix: &str, random: &[u8; 32]) -> Vec<(String, String)> {
        let variable = |(name, value)| (format!("{}{infix}{name}", self.prefix()), value);
        (self.generate)(random).into_iter().map(variable).collect()
    }

    /// True if all its recipients are e-mail addresses.
    pub fn is_email(&self) -> bool {
        self.channels == [Channel::Email]
    }

    /// The schemes that sign the payload.
    pub fn signatures(&self) -> impl Iterator<Item = &'static Scheme> {
        self.schemes.iter().copied().filter(|scheme| scheme.covers_payload)
    }

    /// True if one of its schemes signs the URL, so that the public address must be configured correctly.
    pub fn signs_url(&self) -> bool {
        self.schemes.iter().any(|scheme| scheme.covers_url)
    }
}

/// The response to a verified payload that cannot be parsed. It is stored in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::AsRefStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum InvalidPayload {
    /// 400 `invalid_payload`.
    BadRequest,
    /// 200.
    Accept,
}

/// A verified payload cannot be parsed. Stored as the reason of its quarantine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not decodable, or a known kind without its message id or status.
    #[error("invalid_payload: {0}")]
    Invalid(&'static str),
    /// A field that may occur once has two different values, and nothing decides between them.
    #[error("ambiguous: {0}")]
    Ambiguous(&'static str),
}

/// Rejects a form in which one of these fields has two different values: their order is not signed.
pub(crate) fn reject_ambiguous(form: &Form<'_>, names: &[&'static str]) -> Result<(), ParseError> {
    names.iter().find(|name| form.is_ambiguous(name)).map_or(Ok(()), |name| Err(ParseError::Ambiguous(name)))
}

impl From<json::JsonError> for ParseError {
    fn from(error: json::JsonError) -> Self {
        match error {
            json::JsonError::NotJson => Self::Invalid("the body is not JSON"),
            json::JsonError::Ambiguous => Self::Ambiguous("a JSON key"),
        }
    }
}

/// The events of a verified callback, and the form of its response once it is stored.
#[derive(Debug)]
pub struct Parsed {
    pub reply: Reply,
    /// An unknown kind is an event, not an error.
    pub events: Result<Vec<Event>, ParseError>,
}

impl Parsed {
    /// Events of a callback whose response is Waybill's JSON.
    pub fn with_json_reply(events: Result<Vec<Event>, ParseError>) -> Self {
        Self { reply: Reply::Json, events }
    }

    /// The event of a callback that is stored without an effect.
    pub fn unknown() -> Self {
        Self::with_json_reply(Ok(vec![Event::informational(EventType::Unknown, "")]))
    }
}

/// The form of the response to a stored callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Waybill's JSON.
    Json,
    /// An empty TwiML document, "do nothing": for anything else Twilio logs error 12300 with the message.
    Twiml,
    /// A JSON document of the operator, which the provider fetches.
    Document(String),
}

/// The parts of an endpoint's proofs that appear in the URL to paste.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlProofs {
    /// The variable `BASIC_AUTH`, before the host.
    pub credentials: bool,
    /// The variable `URL_TOKEN`, at the end of the path.
    pub token: bool,
    /// The variable `WEBHOOK_SECRET`, as a parameter.
    pub secret: bool,
}

/// A setting with which a rejected callback would be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    pub setting: &'static str,
    /// The rest of the sentence that begins with the setting's variable.
    pub says: String,
}

impl NearMiss {
    /// The scheme that gives the signature is switched off.
    pub fn scheme_off(proof: &Proof<'_>) -> Self {
        let says = format!("leaves out `{}`, by which the signature is valid", proof.scheme().name);
        Self { setting: "SIGNATURE_SCHEMES", says }
    }

    /// One of the setting's secrets gives the signature in that header over the body alone.
    pub fn body_only(
        callback: &Callback,
        header_name: &str,
        setting: &'static str,
        secrets: &[Secret],
        work: &Work,
    ) -> Option<Self> {
        let BodyOnly { digest, encoding, prefix } = body_only::find(callback, header_name, secrets, work)?;
        let prefix = if prefix.is_empty() { "without a prefix".to_owned() } else { format!("after `{prefix}`") };
        let says = format!(
            "gives this signature over the body alone ({digest} in {encoding}, {prefix}), which is none of the provider's schemes: \
             the sender must sign differently"
        );
        Some(Self { setting, says })
    }
}

/// One account at a provider, with what verifies its callbacks. Pure: no async, no input or output, no clock, no global.
pub trait Provider: Send + Sync {
    /// Fails if no request with this head can be verified, so that its body is not read.
    fn check_head(&self, _head: &Callback) -> Result<(), VerifyError> {
        Ok(())
    }

    /// Verifies a callback over the bytes received.
    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError>;

    /// Decides by its shape if a verified callback is parsed, for schemes whose signed string has no delimiters.
    fn is_listed(&self) -> IsListed {
        |_, _, _| true
    }

    /// Parses a verified callback, from the payload that its proof covers.
    fn parse(&self, callback: Readable<'_, '_>) -> Parsed;

    /// The headers (lower case) that hold a signature or are signed with the payload: without them a callback cannot be verified
    /// again. Never headers with passwords.
    fn proof_headers(&self) -> Vec<String> {
        Vec::new()
    }

    /// The second at which a callback was sent, if its signature covers the time.
    fn signed_at(&self, _callback: &Callback) -> Option<i64> {
        None
    }

    /// Searches another value of a setting that would verify a rejected callback. For diagnosis only.
    fn near_miss(&self, _callback: &Callback, _work: &Work) -> Option<NearMiss> {
        None
    }

    /// The tokens, any of which may end the URL.
    fn url_tokens(&self) -> &[Secret] {
        &[]
    }

    /// The parts of its proofs that appear in the URL to paste.
    fn url_proofs(&self) -> UrlProofs {
        UrlProofs { token: !self.url_tokens().is_empty(), ..UrlProofs::default() }
    }

    /// Credentials that the provider takes from the URL, and may sign with it.
    fn url_credentials(&self) -> &[Secret] {
        &[]
    }

    /// The networks from which callbacks may arrive; empty for any.
    fn allowed_ips(&self) -> &[IpNet] {
        &[]
    }

    /// The `WWW-Authenticate` header of a 401. A callback without the credentials is then [`VerifyError::Challenged`].
    fn challenge(&self) -> Option<&'static str> {
        None
    }

    /// The limits of verified callbacks.
    fn limits(&self) -> Limits {
        Limits::default()
    }
}
