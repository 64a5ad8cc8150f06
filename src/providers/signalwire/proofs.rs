//! The ways to verify a callback of SignalWire, and the setting that requires one or all of them.

use ipnet::IpNet;

use super::{IS_LISTED, SPEC};
use crate::{
    callback::Callback,
    provider::{NearMiss, Settings, UrlProofs},
    secret::Secret,
    signature::{
        Proof, Scheme, VerifyError, Work, basic, ip,
        request::{self, Algorithm, Key, Repeated},
        url_body, url_secret, url_token,
    },
};

const SHA1_HEADER: &str = "x-signalwire-signature";
/// The compatibility API sends Twilio's name as well.
const ALIAS_HEADER: &str = "x-twilio-signature";
const SHA256_HEADER: &str = "x-signalwire-sha256-signature";

/// The headers that may have a signature.
pub(super) const HEADERS: [&str; 3] = [SHA1_HEADER, ALIAS_HEADER, SHA256_HEADER];

/// The number of configured proofs that a callback must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Require {
    /// One: SignalWire does not sign every kind of callback.
    #[default]
    Any,
    /// All.
    All,
}

/// The configured proofs.
#[derive(Clone)]
pub(super) struct Proofs {
    signing_keys: Vec<Secret>,
    /// The signing keys as keys of the scheme `request`.
    keys: Vec<Key>,
    /// The signing keys as keys of the schemes `url-body-*`.
    body_keys: Vec<url_body::Key>,
    pub(super) credentials: Vec<Secret>,
    secrets: Vec<Secret>,
    pub(super) url_tokens: Vec<Secret>,
    pub(super) allowed_ips: Vec<IpNet>,
    require: Require,
    schemes: Vec<&'static Scheme>,
}

impl Proofs {
    pub(super) fn new(settings: &mut Settings<'_>) -> Self {
        let signing_keys = settings.secrets("SIGNING_KEY");
        let key = |(index, secret)| Key::new(secret, Algorithm::HmacSha1, index);
        let credentials =
            settings.chosen_secrets("BASIC_AUTH", |pair| pair.split_once(':').map_or(pair, |(_, password)| password));
        let is_pair = |secret: &Secret| {
            secret.text().split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
        };
        if !credentials.iter().all(is_pair) {
            settings.problem("BASIC_AUTH", "expected `user:password`, or a comma list of such; no password may contain a comma");
        }
        Self {
            keys: signing_keys.iter().enumerate().map(key).collect(),
            body_keys: signing_keys.iter().map(url_body::Key::new).collect(),
            signing_keys,
            credentials,
            secrets: settings.chosen_secrets("WEBHOOK_SECRET", |secret| secret),
            url_tokens: settings.url_tokens(),
            allowed_ips: settings.networks("ALLOWED_IPS"),
            require: requirement(settings),
            schemes: settings.schemes(),
        }
    }

    pub(super) fn is_configured(&self) -> bool {
        self.has_secret() || !self.allowed_ips.is_empty()
    }

    /// All that is required or, if there is a choice, the one that does not depend on a parser of queries or headers.
    pub(super) fn url_proofs(&self) -> UrlProofs {
        let [token, secret, credentials] = [&self.url_tokens, &self.secrets, &self.credentials].map(|list| !list.is_empty());
        let is_all = self.require == Require::All;
        UrlProofs { token, secret: secret && (is_all || !token), credentials: credentials && (is_all || !(token || secret)) }
    }

    fn has_secret(&self) -> bool {
        [&self.signing_keys, &self.credentials, &self.secrets, &self.url_tokens].iter().any(|secrets| !secrets.is_empty())
    }

    /// Fails if the head has nothing that could be a proof.
    pub(super) fn check_head(&self, head: &Callback) -> Result<(), VerifyError> {
        let is_signed = HEADERS.iter().any(|name| head.headers.has(name));
        let may_be_verified = is_signed || basic::is_present(head) || url_secret::is_present(head) || !self.has_secret();
        if may_be_verified { Ok(()) } else { Err(self.missing(head)) }
    }

    /// The error of a callback without a proof. A client that supports Basic sends its credentials only after a challenge.
    fn missing(&self, callback: &Callback) -> VerifyError {
        let is_challenged = !self.credentials.is_empty() && !basic::is_present(callback);
        if is_challenged { VerifyError::Challenged } else { VerifyError::Missing }
    }

    /// Verifies by the configured ways, the strongest first.
    pub(super) fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        if !self.has_secret() {
            return ip::verify(callback, &self.allowed_ips);
        }
        let ways: [(&[Secret], Way<'c>); 4] = [
            (&self.signing_keys, |proofs, callback, work| proofs.verify_signature(callback, work)),
            (&self.credentials, |proofs, callback, work| basic::verify(callback, &proofs.credentials, work)),
            (&self.secrets, |proofs, callback, work| url_secret::verify(callback, &proofs.secrets, work)),
            (&self.url_tokens, |_, callback, _| url_token::verify(callback)),
        ];
        let configured = ways.into_iter().filter(|(secrets, _)| !secrets.is_empty());
        let proofs = configured.map(|(_, verify)| verify(self, callback, work));
        let verified = match self.require {
            Require::All => proofs.collect::<Result<Vec<_>, _>>().map(|proofs| proofs.into_iter().next()),
            Require::Any => first_verified(proofs).map(Some),
        };
        match verified {
            Ok(Some(proof)) => Ok(proof),
            Ok(None) | Err(VerifyError::Missing) => Err(self.missing(callback)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn near_miss(&self, callback: &Callback, work: &Work) -> Option<NearMiss> {
        if self.signing_keys.is_empty() {
            return None;
        }
        let all_schemes = Self { schemes: SPEC.schemes.to_vec(), ..self.clone() };
        if self.require == Require::All && self.verify_signature(callback, work).is_ok() {
            let says = "is `all`: the signature is valid, but another configured proof is missing or wrong".to_owned();
            return Some(NearMiss { setting: "REQUIRE", says });
        }
        if let Ok(proof) = all_schemes.verify_signature(callback, work) {
            return Some(NearMiss::scheme_off(&proof));
        }
        HEADERS.iter().find_map(|header| NearMiss::body_only(callback, header, "SIGNING_KEY", &self.signing_keys, work))
    }

    fn require_scheme(&self, scheme: &Scheme) -> Result<(), VerifyError> {
        if scheme.is_among(&self.schemes) { Ok(()) } else { Err(VerifyError::SchemeOff) }
    }

    /// Verifies by the signing key. If a SHA-256 signature is present it must verify; the weaker one is not used instead.
    fn verify_signature<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        if callback.headers.has(SHA256_HEADER) {
            self.require_scheme(&url_body::SHA256)?;
            return url_body::verify(callback, SHA256_HEADER, &url_body::SHA256, &self.body_keys, IS_LISTED, work);
        }
        let header = if callback.headers.has(SHA1_HEADER) { SHA1_HEADER } else { ALIAS_HEADER };
        if url_body::is_well_formed(callback, header, &url_body::SHA1)? {
            self.require_scheme(&url_body::SHA1)?;
            return url_body::verify(callback, header, &url_body::SHA1, &self.body_keys, IS_LISTED, work);
        }
        self.require_scheme(&request::SCHEME)?;
        let keys: Vec<&Key> = self.keys.iter().collect();
        request::verify(callback, header, &keys, Repeated::SortedOrAsSent, IS_LISTED, work)
    }
}

pub(super) fn requirement(settings: &mut Settings<'_>) -> Require {
    settings.word("REQUIRE", "expected `any` or `all`")
}

/// A way to verify a callback.
type Way<'c> = fn(&Proofs, &'c Callback, &Work) -> Result<Proof<'c>, VerifyError>;

/// The first proof, else the error of the first way that was present.
fn first_verified<'c>(proofs: impl Iterator<Item = Result<Proof<'c>, VerifyError>>) -> Result<Proof<'c>, VerifyError> {
    let mut failure = VerifyError::Missing;
    for proof in proofs {
        match proof {
            Ok(proof) => return Ok(proof),
            Err(rejected) if failure == VerifyError::Missing => failure = rejected,
            Err(_) => {}
        }
    }
    Err(failure)
}
