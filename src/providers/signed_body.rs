//! Senders that sign their JSON with HMAC-SHA256 in a header, or send it unsigned to a URL with a token. The name of the header is
//! configured, so that a further sender of this kind needs only a [`crate::provider::Spec`] and a parser of its payload.

use ipnet::IpNet;
use serde_json::Value;

use crate::{
    callback::Callback,
    event::Event,
    limiter::Limits,
    provider::{NearMiss, ParseError, Parsed, Provider, Setting, SettingKind, Settings},
    secret::Secret,
    signature::{
        HmacSha256Key, Outgoing, Proof, Readable, Scheme, Signer, VerifyError, Work,
        body_sha256::{self, Prefix},
        url_token,
    },
};

const DEFAULT_HEADER: &str = "X-Webhook-Signature";

/// The setting that names the header.
pub(super) const SIGNATURE_HEADER: Setting = Setting {
    name: "SIGNATURE_HEADER",
    doc: "Name of the header with the hex HMAC-SHA256 of the body, with or without the prefix `sha256=`.",
    example: DEFAULT_HEADER,
    kind: SettingKind::Option,
};

/// The schemes of such a sender.
pub(super) static SCHEMES: [&Scheme; 2] = [&body_sha256::SCHEME, &url_token::SCHEME];

/// An account of such a sender.
pub(super) struct SignedBody {
    secrets: Vec<Secret>,
    /// The secrets as keys of the scheme `body-sha256`.
    keys: Vec<HmacSha256Key>,
    /// The name of the signature's header, in lower case.
    header_name: String,
    url_tokens: Vec<Secret>,
    schemes: Vec<&'static Scheme>,
    parse: fn(&Value) -> Result<Vec<Event>, ParseError>,
    pub(super) allowed_ips: Vec<IpNet>,
    pub(super) limits: Limits,
}

impl SignedBody {
    /// Reads the settings that all such senders have.
    pub(super) fn new(settings: &mut Settings<'_>, parse: fn(&Value) -> Result<Vec<Event>, ParseError>) -> Self {
        let header = header(settings);
        if !header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            settings.problem("SIGNATURE_HEADER", "expected the name of a header");
        }
        let secrets = settings.chosen_secrets("WEBHOOK_SECRET", |secret| secret);
        Self {
            keys: secrets.iter().map(|secret| HmacSha256Key::new(secret.bytes())).collect(),
            secrets,
            header_name: header.to_ascii_lowercase(),
            url_tokens: settings.url_tokens(),
            schemes: settings.schemes(),
            parse,
            allowed_ips: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The provider, if a proof is configured.
    pub(super) fn connect(self, settings: &Settings<'_>) -> Option<Box<dyn Provider>> {
        settings.provider(!self.secrets.is_empty() || !self.url_tokens.is_empty(), self)
    }

    /// Returns true if the request has a signature, and there is a secret to verify it with.
    fn is_signed(&self, head: &Callback) -> bool {
        !self.secrets.is_empty() && head.headers.has(&self.header_name)
    }
}

fn header(settings: &mut Settings<'_>) -> String {
    settings.text("SIGNATURE_HEADER").unwrap_or_else(|| DEFAULT_HEADER.to_owned())
}

impl Provider for SignedBody {
    fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        if self.is_signed(head) { Ok(()) } else { Err(VerifyError::Missing) }
    }

    /// A signature that is present must verify, even if the URL has a token.
    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        if self.is_signed(callback) {
            if !body_sha256::SCHEME.is_among(&self.schemes) {
                return Err(VerifyError::SchemeOff);
            }
            return body_sha256::verify(callback, &self.header_name, Prefix::Optional, &self.keys, work);
        }
        url_token::verify(callback)
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        Parsed::with_json_reply(callback.json().map_err(ParseError::from).and_then(self.parse))
    }

    fn proof_headers(&self) -> Vec<String> {
        vec![self.header_name.clone()]
    }

    fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        if let Ok(proof) = body_sha256::verify(callback, &self.header_name, Prefix::Optional, &self.keys, work) {
            return Some(NearMiss::scheme_off(&proof));
        }
        NearMiss::body_only(callback, &self.header_name, "WEBHOOK_SECRET", &self.secrets, work)
    }

    fn url_tokens(&self) -> &[Secret] {
        &self.url_tokens
    }

    fn allowed_ips(&self) -> &[IpNet] {
        &self.allowed_ips
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

struct SignedBodySigner {
    key: Option<HmacSha256Key>,
    header: String,
    url_token: Option<Secret>,
}

pub(super) fn signer(settings: &mut Settings<'_>) -> Box<dyn Signer> {
    Box::new(SignedBodySigner {
        key: settings.secrets("WEBHOOK_SECRET").first().map(|secret| HmacSha256Key::new(secret.bytes())),
        header: header(settings),
        url_token: settings.url_tokens().into_iter().next(),
    })
}

impl Signer for SignedBodySigner {
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (&self.key, &self.url_token) {
            (_, Some(token)) if scheme.name == url_token::SCHEME.name => url_token::sign(token, outgoing),
            (Some(key), _) => body_sha256::sign(key, &self.header, Prefix::Optional, outgoing),
            _ => {}
        }
    }
}

/// Random values for the settings.
pub(super) fn generate(random: &[u8; 32]) -> Vec<(&'static str, String)> {
    ["WEBHOOK_SECRET", "URL_TOKEN"].map(|name| (name, hex::encode(random))).to_vec()
}
