//! Signs requests as SignalWire does, and adds the credentials that stand in for a signature.

use super::proofs::{Require, requirement};
use crate::{
    provider::Settings,
    secret::Secret,
    signature::{
        Outgoing, Scheme, Signer, basic,
        request::{self, Algorithm, Key},
        url_body, url_secret, url_token,
    },
};

const HEADER: &str = "X-SignalWire-Signature";
const SHA256_HEADER: &str = "X-SignalWire-Sha256-Signature";

/// The first of each kind of credential.
struct SignalWireSigner {
    /// The signing key as a key of each scheme.
    signing_key: Option<(Key, url_body::Key)>,
    credentials: Option<Secret>,
    secret: Option<Secret>,
    url_token: Option<Secret>,
    require: Require,
}

pub(super) fn signer(settings: &mut Settings<'_>) -> Box<dyn Signer> {
    let keys = |secret| (Key::new(secret, Algorithm::HmacSha1, 0), url_body::Key::new(secret));
    Box::new(SignalWireSigner {
        signing_key: settings.secrets("SIGNING_KEY").first().map(keys),
        credentials: settings.secrets("BASIC_AUTH").into_iter().next(),
        secret: settings.secrets("WEBHOOK_SECRET").into_iter().next(),
        url_token: settings.url_tokens().into_iter().next(),
        require: requirement(settings),
    })
}

impl Signer for SignalWireSigner {
    /// Adds a proof by that scheme, or all that are configured if all are required.
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        let requires_all = self.require == Require::All;
        let is_needed = |other: &Scheme| requires_all || scheme.name == other.name;
        // The URL first: it is signed.
        if let Some(token) = self.url_token.as_ref().filter(|_| is_needed(&url_token::SCHEME)) {
            url_token::sign(token, outgoing);
        }
        if let Some(secret) = self.secret.as_ref().filter(|_| is_needed(&url_secret::SCHEME)) {
            url_secret::sign(secret, outgoing);
        }
        if let Some(credentials) = self.credentials.as_ref().filter(|_| is_needed(&basic::SCHEME)) {
            basic::sign(credentials, outgoing);
        }
        let Some((key, body_key)) = &self.signing_key else { return };
        match scheme.name {
            name if name == request::SCHEME.name => request::sign(key, HEADER, outgoing),
            name if name == url_body::SHA256.name => url_body::sign(body_key, SHA256_HEADER, &url_body::SHA256, outgoing),
            name if requires_all || name == url_body::SHA1.name => {
                url_body::sign(body_key, HEADER, &url_body::SHA1, outgoing);
            }
            _ => {}
        }
    }
}
