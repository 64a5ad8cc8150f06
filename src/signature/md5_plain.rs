//! Scheme `md5-plain`: the parameter `sig` is the hex MD5 of `name=value&name=value`, sorted, and the secret after it.
//!
//! What the user's own senders use (the guide "SMS API: Webhooks", section "Validate Signatures"). It has no `&` before the
//! first name and leaves values as they are, so the names are restricted: no string of this scheme is one of `sms`.

use super::{
    Outgoing, Proof, Rejected, Scheme, mac, matching,
    parameters::{self, Blanks, Parameters},
    sms,
};
use crate::{callback::Callback, secret::Secret};

/// Covers all parameters.
pub static SCHEME: Scheme = Scheme {
    name: "md5-plain",
    covers: "all parameters",
    leaves_open: "where one parameter ends and the next begins; URL of a POST, method, headers; time, unless `VONAGE_SIGNATURE_TOLERANCE` is set",
    covers_url: false,
    covers_payload: true,
    tolerance: None,
};

/// Verifies the signature. With a tolerance in seconds the signed time must be within it.
pub fn verify<'c>(callback: &'c Callback, secrets: &[Secret], tolerance: Option<u64>) -> Result<Proof<'c>, Rejected> {
    let parameters = Parameters::of(callback)?;
    if !parameters.are_plain() {
        return Err(Rejected::Shape);
    }
    let signed = join(parameters.signed(Blanks::Kept));
    let index = matching(secrets, |secret| mac::equal(&mac::md5(&[&signed, secret]), &parameters.signature))?;
    sms::is_fresh(&parameters, callback, tolerance)?;
    Ok(Proof::new(callback, &SCHEME, index, sms::without_attempt(&signed)))
}

/// Adds the signature that [`verify`] accepts.
pub fn sign(secret: &Secret, outgoing: &mut Outgoing) {
    let Some(pairs) = parameters::of_outgoing(outgoing) else { return };
    let signed = join(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    parameters::add_signature(outgoing, &hex::encode(mac::md5(&[&signed, secret.bytes()])));
}

fn join<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = pairs.map(|(name, value)| [name, b"=", value].concat()).collect();
    pairs.join(&b'&')
}
