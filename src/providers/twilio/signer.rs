//! Signs requests as Twilio does.

use super::shared_key::{self, SharedKey};
use crate::{
    provider::Settings,
    signature::{
        HmacSha256Key, Outgoing, Scheme, Signer,
        body_sha256::{self, Prefix},
        request::{self, Algorithm, Key},
    },
};

const HEADER: &str = "X-Twilio-Signature";

/// The first auth token as a key of each scheme, and the first shared key, which signs where there is no token.
struct TwilioSigner {
    token: Option<(Key, HmacSha256Key)>,
    shared_key: Option<SharedKey>,
}

pub(super) fn signer(settings: &mut Settings<'_>) -> Box<dyn Signer> {
    let tokens = settings.secrets("AUTH_TOKEN");
    let keys = |token| (Key::new(token, Algorithm::HmacSha1, 0), HmacSha256Key::new(token.bytes()));
    let shared_key = shared_key::read(settings, tokens.len()).into_iter().next();
    Box::new(TwilioSigner { token: tokens.first().map(keys), shared_key })
}

impl Signer for TwilioSigner {
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (&self.token, &self.shared_key) {
            (Some((_, key)), _) if scheme.name == body_sha256::SCHEME.name => {
                body_sha256::sign(key, HEADER, Prefix::Required, outgoing);
            }
            (Some((key, _)), _) => request::sign(key, HEADER, outgoing),
            (None, Some(shared)) => {
                outgoing.headers.push(shared.header());
                request::sign(&shared.key, HEADER, outgoing);
            }
            (None, None) => {}
        }
    }
}
