//! Scheme `request`: base64 HMAC of the public URL followed by the sorted form parameters. A body that is no form is
//! covered by its SHA-256 in the query parameter `bodySHA256`; a GET by its URL.
//!
//! Sources: twilio-python 9.13.0 `request_validator.py`, twilio-node 6.2.0 `webhooks.js`, Twilio docs "Security"
//! (read 2026-11-22). There are no delimiters in what is signed, so the caller checks the shape of the fields afterwards.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use sha2::{Digest, Sha256};

use super::{Outgoing, Proof, Rejected, Scheme, header, mac};
use crate::{
    callback::{Callback, Payload},
    form::Form,
    public_url,
    secret::Secret,
};

/// Covers the URL and the payload; not the time.
pub static SCHEME: Scheme = Scheme {
    name: "request",
    covers: "URL, form parameters or JSON body",
    leaves_open: "time; where one form parameter ends and the next begins; the method",
    covers_url: true,
    covers_payload: true,
    tolerance: None,
};

/// The hash of a key. It is configured with the key and never chosen by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(ascii_case_insensitive)]
pub enum Algorithm {
    /// That of auth tokens and signing keys.
    #[strum(serialize = "HMAC_SHA1")]
    HmacSha1,
    /// May be that of a shared key.
    #[strum(serialize = "HMAC_SHA256")]
    HmacSha256,
}

/// A secret with its algorithm.
#[derive(Clone)]
pub struct Key {
    /// The secret.
    pub secret: Secret,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    /// Its place among the endpoint's secrets.
    pub index: usize,
}

impl Key {
    fn matches(&self, parts: &[&[u8]], given: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::HmacSha1 => mac::matches(mac::sha1(self.secret.bytes(), parts), given),
            Algorithm::HmacSha256 => mac::matches(mac::sha256(self.secret.bytes(), parts), given),
        }
    }
}

/// How a vendor signs several parameters of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// The distinct values, sorted, as Twilio does.
    Sorted,
    /// That, or all values as they were sent: SignalWire's own libraries disagree.
    SortedOrAsSent,
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(callback: &'c Callback, header_name: &str, keys: &[&Key], repeated: Repeated) -> Result<Proof<'c>, Rejected> {
    let value = header(callback, header_name)?.ok_or(Rejected::Missing)?;
    let given = STANDARD.decode(value).map_err(|_| Rejected::Malformed)?;
    let mut readings = vec![covered_parameters(callback, joined_parameters)?];
    if repeated == Repeated::SortedOrAsSent {
        readings.push(covered_parameters(callback, joined_as_sent)?);
        readings.dedup();
    }
    let urls: Vec<String> = callback.public_urls.iter().flat_map(|public| public.signed_spellings(&callback.target)).collect();
    let is_genuine = |key: &Key, read: &[u8]| urls.iter().any(|url| key.matches(&[url.as_bytes(), read], &given));
    let matching = |read: &Vec<u8>| Some((keys.iter().copied().find(|key| is_genuine(key, read))?, read.clone()));
    let (key, parameters) = readings.iter().find_map(matching).ok_or(Rejected::Mismatch)?;
    // The parameters of a URL are signed with their delimiters.
    if let (false, Payload::Form(form)) = (callback.body.is_empty(), callback.payload())
        && !form.pairs().all(|(name, _)| is_plain_name(name))
    {
        return Err(Rejected::Shape);
    }
    // What was signed, without the origin: however a captured request is cut or spelt anew, and wherever the domain moves,
    // it stays the same request.
    let canonical = public_url::fold_spelling(&[callback.target.as_bytes(), &parameters].concat());
    Ok(Proof::new(callback, &SCHEME, key.index, canonical))
}

/// What is signed after the URL. A body that nothing covers is refused: a signature over the bare URL must not vouch for it.
fn covered_parameters(callback: &Callback, join: fn(&Form<'_>) -> Vec<u8>) -> Result<Vec<u8>, Rejected> {
    match callback.payload() {
        _ if callback.body.is_empty() => Ok(Vec::new()),
        // No provider sends a GET with a body; it is a POST in another guise.
        _ if callback.method == "GET" => Err(Rejected::NotCovered),
        Payload::Form(form) => Ok(join(&form)),
        Payload::Document(body) if is_hashed(callback.query(), body) => Ok(Vec::new()),
        Payload::Document(_) => Err(Rejected::NotCovered),
    }
}

/// Whether the query ends in the lower-case hex SHA-256 of the body. It is the last parameter because Twilio appends it:
/// anywhere else it may be text of a form's value that was moved into the URL.
fn is_hashed(query: &str, body: &[u8]) -> bool {
    const NAME: &str = "bodySHA256";
    let is_named = |pair: &str| Form::decode(pair.as_bytes()).is_some_and(|form| form.has(NAME));
    let last = query.rsplit('&').next().and_then(|pair| pair.strip_prefix(NAME)?.strip_prefix('='));
    last == Some(hex::encode(Sha256::digest(body)).as_str()) && query.split('&').filter(|pair| is_named(pair)).count() == 1
}

/// Adds the header that [`verify`] accepts.
pub fn sign(key: &Key, header_name: &str, outgoing: &mut Outgoing) {
    let form = outgoing.is_form().then(|| Form::decode(&outgoing.body)).flatten();
    let parameters = form.map(|form| joined_parameters(&form)).unwrap_or_default();
    let url = outgoing.url();
    let parts = [url.as_bytes(), &parameters];
    let signature = match key.algorithm {
        Algorithm::HmacSha1 => STANDARD.encode(mac::sha1(key.secret.bytes(), &parts).finalize().into_bytes()),
        Algorithm::HmacSha256 => STANDARD.encode(mac::sha256(key.secret.bytes(), &parts).finalize().into_bytes()),
    };
    outgoing.header(header_name, signature);
}

/// Names in byte order, each followed by its value; of a repeated name the distinct values, sorted.
fn joined_parameters(form: &Form<'_>) -> Vec<u8> {
    let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().flat_map(|(name, value)| [name, value]).flatten().copied().collect()
}

/// Names in byte order, of a repeated name all values in the order sent.
fn joined_as_sent(form: &Form<'_>) -> Vec<u8> {
    let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs.into_iter().flat_map(|(name, value)| [name, value]).flatten().copied().collect()
}

/// Names of a form's parameters; anything else may be a value that was moved into a name. They are the provider's own and
/// start with a letter, so that the end of the URL cannot be moved into the first of them.
fn is_plain_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.[]-".contains(byte))
}
