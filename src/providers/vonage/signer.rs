//! Signs requests as Vonage does.

use super::signature_method;
use crate::{
    provider::Settings,
    secret::Secret,
    signature::{HmacSha256Key, Outgoing, Scheme, Signer, jwt, md5_plain, sms, url_token},
};

/// The account that a token names if none is configured.
const DEFAULT_API_KEY: &str = "abcd1234";

/// The first signature secret as a key of each scheme, and the first token.
struct VonageSigner {
    secret: Option<(Secret, sms::Key, HmacSha256Key)>,
    api_key: String,
    url_token: Option<Secret>,
}

pub(super) fn signer(settings: &mut Settings<'_>) -> Box<dyn Signer> {
    let method = signature_method(settings);
    let keys = |secret: Secret| {
        let (sms_key, jwt_key) = (sms::Key::new(&secret, method), HmacSha256Key::new(secret.bytes()));
        (secret, sms_key, jwt_key)
    };
    Box::new(VonageSigner {
        secret: settings.secrets("SIGNATURE_SECRET").into_iter().next().map(keys),
        api_key: settings.text("API_KEY").unwrap_or_else(|| DEFAULT_API_KEY.to_owned()),
        url_token: settings.url_tokens().into_iter().next(),
    })
}

impl Signer for VonageSigner {
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (&self.url_token, &self.secret) {
            (Some(token), _) if scheme.name == url_token::SCHEME.name => url_token::sign(token, outgoing),
            (_, Some((_, key, _))) if scheme.name == sms::SCHEME.name => sms::sign(key, outgoing),
            (_, Some((secret, ..))) if scheme.name == md5_plain::SCHEME.name => md5_plain::sign(secret, outgoing),
            (_, Some((.., key))) => jwt::sign(key, &self.api_key, outgoing),
            _ => {}
        }
    }
}
