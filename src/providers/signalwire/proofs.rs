//! The ways in which a callback of SignalWire may be proven, and which of them must be.

use ipnet::IpNet;

use super::{SPEC, SWML, cxml::shape};
use crate::{
    callback::{Callback, Payload},
    config::settings::Settings,
    provider::{InUrl, NearMiss},
    secret::Secret,
    signature::{
        Outgoing, Proof, Rejected, Scheme, basic, body_only, ip,
        request::{self, Algorithm, Key, Repeated},
        url_body, url_secret, url_token,
    },
};

const SHA1_HEADER: &str = "x-signalwire-signature";
/// The compatibility API sends Twilio's name as well.
const ALIAS_HEADER: &str = "x-twilio-signature";
const SHA256_HEADER: &str = "x-signalwire-sha256-signature";

/// All headers that may hold a signature.
pub(super) const HEADERS: [&str; 3] = [SHA1_HEADER, ALIAS_HEADER, SHA256_HEADER];

/// How many of the configured proofs a callback must bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum Require {
    /// One: SignalWire does not sign every kind of callback.
    #[default]
    Any,
    /// All.
    All,
}

/// The proofs that are configured.
#[derive(Clone)]
pub(super) struct Proofs {
    signing_keys: Vec<Secret>,
    /// The signing keys again, as keys of the scheme `request`.
    keys: Vec<Key>,
    pub(super) credentials: Vec<Secret>,
    secrets: Vec<Secret>,
    pub(super) url_tokens: Vec<Secret>,
    pub(super) allowed_ips: Vec<IpNet>,
    require: Require,
    schemes: Vec<&'static Scheme>,
}

impl Proofs {
    pub(super) fn read(settings: &mut Settings<'_, '_>) -> Self {
        let signing_keys = settings.secrets("SIGNING_KEY");
        let key = |(index, secret): (usize, &Secret)| Key { secret: secret.clone(), algorithm: Algorithm::HmacSha1, index };
        let credentials = settings.secrets("BASIC_AUTH");
        let is_pair = |secret: &Secret| {
            secret.text().split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
        };
        if !credentials.iter().all(is_pair) {
            settings.problem("BASIC_AUTH", "expected `user:password`, or a comma list of such; no password may contain a comma");
        }
        Self {
            keys: signing_keys.iter().enumerate().map(key).collect(),
            signing_keys,
            credentials,
            secrets: settings.secrets("WEBHOOK_SECRET"),
            url_tokens: settings.url_tokens(),
            allowed_ips: settings.networks("ALLOWED_IPS"),
            require: settings.word("REQUIRE", "expected `any` or `all`"),
            schemes: settings.schemes(),
        }
    }

    pub(super) fn is_configured(&self) -> bool {
        self.has_secret() || !self.allowed_ips.is_empty()
    }

    /// All that is required or, of several ways, the one that does not depend on a parser of queries or headers.
    pub(super) fn in_url(&self) -> InUrl {
        let [token, secret, credentials] = [&self.url_tokens, &self.secrets, &self.credentials].map(|list| !list.is_empty());
        let is_all = self.require == Require::All;
        InUrl { token, secret: secret && (is_all || !token), credentials: credentials && (is_all || !(token || secret)) }
    }

    fn has_secret(&self) -> bool {
        [&self.signing_keys, &self.credentials, &self.secrets, &self.url_tokens].iter().any(|secrets| !secrets.is_empty())
    }

    /// Whether the head carries something that could be a proof.
    pub(super) fn may_be_there(&self, head: &Callback) -> bool {
        let is_signed = HEADERS.iter().any(|name| head.headers.has(name));
        is_signed || basic::claimed(head) || url_secret::claimed(head) || !self.has_secret()
    }

    /// The strongest of the proofs that the callback brings.
    pub(super) fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let mut proofs = vec![];
        if !self.signing_keys.is_empty() {
            proofs.push(self.signature(callback));
        }
        if !self.credentials.is_empty() {
            proofs.push(basic::verify(callback, &self.credentials));
        }
        if !self.secrets.is_empty() {
            proofs.push(url_secret::verify(callback, &self.secrets));
        }
        if !self.url_tokens.is_empty() {
            proofs.push(url_token::verify(callback));
        }
        if proofs.is_empty() {
            return ip::verify(callback, &self.allowed_ips);
        }
        match self.require {
            Require::All => proofs.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().next().ok_or(Rejected::Missing),
            Require::Any => strongest(proofs),
        }
    }

    /// Under which other setting the signature would be right.
    pub(super) fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        if self.signing_keys.is_empty() {
            return None;
        }
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if self.require == Require::All && self.signature(callback).is_ok() {
            let says = "is `all`: the signature is right, and another proof that is configured is missing or wrong".to_owned();
            return Some(NearMiss { setting: "REQUIRE", says });
        }
        if let Ok(proof) = all_schemes.signature(callback) {
            return Some(NearMiss::scheme_off(&proof));
        }
        HEADERS.iter().find_map(|header| body_only::near_miss(callback, header, "SIGNING_KEY", &self.signing_keys))
    }

    fn if_on(&self, scheme: &Scheme) -> Result<(), Rejected> {
        if scheme.is_among(&self.schemes) { Ok(()) } else { Err(Rejected::SchemeOff) }
    }

    /// By the signing key. A SHA-256 signature that is there must be right: the weaker one does not stand in for it.
    fn signature<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        let proof = if callback.headers.has(SHA256_HEADER) {
            self.if_on(&url_body::SHA256)?;
            url_body::verify(callback, SHA256_HEADER, &url_body::SHA256, &self.signing_keys)?
        } else {
            let header = if callback.headers.has(SHA1_HEADER) { SHA1_HEADER } else { ALIAS_HEADER };
            if url_body::claimed(callback, header, &url_body::SHA1)? {
                self.if_on(&url_body::SHA1)?;
                url_body::verify(callback, header, &url_body::SHA1, &self.signing_keys)?
            } else {
                self.if_on(&request::SCHEME)?;
                request::verify(callback, header, &self.keys.iter().collect::<Vec<_>>(), Repeated::SortedOrAsSent)?
            }
        };
        if is_known_shape(callback, proof.scheme()) { Ok(proof) } else { Err(Rejected::Shape) }
    }

    /// Adds a proof, or all that are configured if all are required.
    pub(super) fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        let wants = |other: &Scheme| self.require == Require::All || scheme.name == other.name;
        // The URL first: it is signed.
        if let Some(token) = self.url_tokens.first().filter(|_| wants(&url_token::SCHEME)) {
            url_token::sign(token, outgoing);
        }
        if let Some(secret) = self.secrets.first().filter(|_| wants(&url_secret::SCHEME)) {
            url_secret::sign(secret, outgoing);
        }
        if let Some(credentials) = self.credentials.first().filter(|_| wants(&basic::SCHEME)) {
            basic::sign(credentials, outgoing);
        }
        let by_key = [&url_body::SHA1, &url_body::SHA256, &request::SCHEME].into_iter().find(|known| known.name == scheme.name);
        let by_key = by_key.or_else(|| (self.require == Require::All).then_some(&url_body::SHA1));
        if let (Some(secret), Some(key), Some(by_key)) = (self.signing_keys.first(), self.keys.first(), by_key) {
            if by_key.name == request::SCHEME.name {
                request::sign(key, "X-SignalWire-Signature", outgoing);
            } else if by_key.name == url_body::SHA1.name {
                url_body::sign(secret, "X-SignalWire-Signature", &url_body::SHA1, outgoing);
            } else {
                url_body::sign(secret, "X-SignalWire-Sha256-Signature", &url_body::SHA256, outgoing);
            }
        }
    }
}

/// The first that is one; else why the first that was there is none.
fn strongest(proofs: Vec<Result<Proof<'_>, Rejected>>) -> Result<Proof<'_>, Rejected> {
    let mut failure = Rejected::Missing;
    for proof in proofs {
        match proof {
            Ok(proof) => return Ok(proof),
            Err(rejected) if failure == Rejected::Missing => failure = rejected,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Neither kind of signature has a delimiter between URL and payload. A form's fields must be parameters of their own, and
/// without a body only an inbound message is taken, or the fetch of an SWML document.
fn is_known_shape(callback: &Callback, scheme: &Scheme) -> bool {
    // A JSON document that was moved into the URL has its braces there.
    let is_whole = !callback.target.contains(['{', '}']);
    match callback.payload() {
        Payload::Form(form) if callback.body.is_empty() && callback.route == SWML => is_whole && form.text("CallSid").is_some(),
        _ if !callback.body.is_empty() && scheme.name != request::SCHEME.name => is_whole,
        Payload::Form(form) => is_whole && shape::hides_nothing(&form) && shape::is_known(callback),
        Payload::Document(_) => is_whole && shape::is_known(callback),
    }
}
