//! Scheme `request`: base64 HMAC-SHA1 of the public URL followed by the sorted form parameters.
//!
//! Sources: twilio-python 9.13.0 `request_validator.py`, twilio-node 6.2.0 `webhooks.js`, Twilio docs "Security"
//! (read 2026-11-22). There are no delimiters in what is signed, so the caller checks the shape of the fields afterwards.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;

use super::{Outgoing, Proof, Rejected, Scheme, header, mac};
use crate::{callback::Callback, form::Form, secret::Secret};

/// Covers the URL and the form; not the time.
pub static SCHEME: Scheme = Scheme { name: "request", covers_url: true, tolerance: None };

/// Verifies the signature in the header of that name (lower case) over a form POST.
pub fn verify<'c>(callback: &'c Callback, header_name: &str, secrets: &[Secret]) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, header_name)?.ok_or(Rejected::Missing)?;
    let given = STANDARD.decode(value).map_err(|_| Rejected::Malformed)?;
    // A body that is no form is outside the MAC: a signature over the bare URL must not vouch for it.
    let form = callback.form().ok_or(Rejected::NotCovered)?;
    let parameters = joined_parameters(&form);
    let urls: Vec<String> = callback.public_urls.iter().flat_map(|public| public.signed_spellings(&callback.target)).collect();
    let index = super::matching(secrets, |key| {
        urls.iter().any(|url| mac::matches(mac::sha1(key, &[url.as_bytes(), &parameters]), &given))
    })?;
    if !form.pairs().all(|(name, _)| is_plain_name(name)) {
        return Err(Rejected::Shape);
    }
    // The canonical string on the configured URL: however a captured request is cut anew, it stays the same request.
    let url = callback.public_urls.first().map(|public| public.canonical(&callback.target)).unwrap_or_default();
    let canonical = [url.as_bytes(), &parameters].concat();
    Ok(Proof::new(callback, &SCHEME, index, canonical))
}

/// The header value that [`verify`] accepts; an empty one if the body is no form.
pub fn sign(secret: &Secret, outgoing: &Outgoing<'_>) -> String {
    let parameters = Form::decode(outgoing.body).map(|form| joined_parameters(&form)).unwrap_or_default();
    STANDARD.encode(mac::sha1(secret.bytes(), &[outgoing.url.as_bytes(), &parameters]).finalize().into_bytes())
}

/// Names in byte order, each followed by its value; of a repeated name the distinct values, sorted.
fn joined_parameters(form: &Form<'_>) -> Vec<u8> {
    let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().flat_map(|(name, value)| [name, value]).flatten().copied().collect()
}

/// Parameter names of a genuine request; anything else may be a value that was moved into a name.
fn is_plain_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.[]-".contains(byte))
}
