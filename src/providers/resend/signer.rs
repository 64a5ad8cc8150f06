//! Signs requests as Resend does.

use super::secrets;
use crate::{
    provider::Settings,
    signature::{
        HmacSha256Key, Outgoing, Scheme, Signer,
        body_sha256::{self, Prefix},
        svix,
    },
};

/// The first secret of each form.
struct ResendSigner {
    svix_key: Option<svix::Key>,
    body_key: Option<HmacSha256Key>,
}

pub(super) fn signer(settings: &mut Settings<'_>) -> Box<dyn Signer> {
    let secrets = secrets(settings);
    Box::new(ResendSigner {
        svix_key: secrets.iter().find_map(|secret| svix::Key::decode(secret.text(), 0)),
        body_key: secrets.first().map(|secret| HmacSha256Key::new(secret.bytes())),
    })
}

impl Signer for ResendSigner {
    fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (&self.svix_key, &self.body_key) {
            (Some(key), _) if scheme.name == svix::SCHEME.name => svix::sign(key, outgoing),
            (_, Some(key)) if scheme.name == body_sha256::SCHEME.name => {
                body_sha256::sign(key, "Resend-Signature", Prefix::Required, outgoing);
            }
            _ => {}
        }
    }
}
