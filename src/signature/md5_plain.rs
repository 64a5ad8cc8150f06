//! Scheme `md5-plain`: the parameter `sig` is the hex MD5 of `name=value&name=value`, sorted, followed by the secret.
//!
//! Source: the integration guide "SMS API: Webhooks", section "Validate Signatures". The string has no `&` before the first name and
//! values are not changed, so names are restricted: no string of this scheme is one of `sms`.

use super::{
    Outgoing, Scheme, VerifyError, Work, mac, matching,
    parameters::{self, Blanks, Match, Parameters},
    sms,
};
use crate::{callback::PayloadKind, secret::Secret};

/// Covers all parameters.
pub static SCHEME: Scheme = Scheme {
    name: "md5-plain",
    covers: "all parameters",
    leaves_open: "the boundaries between parameters; URL of a POST, method, headers; time, unless `VONAGE_SIGNATURE_TOLERANCE` is set",
    covers_url: false,
    covers_payload: true,
    payload: PayloadKind::Parameters,
    tolerance: None,
};

/// Verifies the signature.
pub(super) fn verify(parameters: &Parameters<'_>, secrets: &[Secret], work: &Work) -> Result<Match, VerifyError> {
    if !parameters.are_plain() {
        return Err(VerifyError::Names);
    }
    let signed = join(parameters.signed(Blanks::Kept));
    let gives =
        |secret: &Secret| work.take(&[&signed]) && mac::equal(&mac::md5(&[&signed, secret.bytes()]), &parameters.signature);
    let index = matching(secrets, gives)?;
    Ok((&SCHEME, index, sms::key_without_attempt(&signed)))
}

/// Adds the signature that [`super::SignedParameters::verify`] accepts.
pub fn sign(secret: &Secret, outgoing: &mut Outgoing) {
    let Some(pairs) = parameters::to_sign(outgoing) else { return };
    let signed = join(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    parameters::add_signature(outgoing, &hex::encode(mac::md5(&[&signed, secret.bytes()])));
}

fn join<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = pairs.map(|(name, value)| [name, b"=", value].concat()).collect();
    pairs.join(&b'&')
}
