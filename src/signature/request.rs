//! Scheme `request`: base64 HMAC of the public URL followed by the sorted form parameters. A body that is not a form is covered by its
//! SHA-256 in the query parameter `bodySHA256`, a GET by its URL.
//!
//! Sources: twilio-python 9.13.0 `request_validator.py`, twilio-node 6.2.0 `webhooks.js`, Twilio docs "Security"
//! (read 2026-11-22). The signed string has no delimiters, so only a request of a listed shape is parsed.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    HmacSha1Key, HmacSha256Key, IsListed, Joined, Outgoing, Proof, Scheme, VerifyError, Work, header, key_without_spelling,
};
use crate::{
    callback::{Callback, Payload, PayloadKind},
    form::Form,
    public_url,
    secret::Secret,
};

/// Covers the URL and the payload; not the time.
pub static SCHEME: Scheme = Scheme {
    name: "request",
    covers: "URL, form parameters or JSON body",
    leaves_open: "time; the boundaries between form parameters; the method",
    covers_url: true,
    covers_payload: true,
    payload: PayloadKind::Declared,
    tolerance: None,
};

/// The hash function of a key. It is configured with the key; a request cannot choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(ascii_case_insensitive)]
pub enum Algorithm {
    /// For auth tokens and signing keys.
    #[strum(serialize = "HMAC_SHA1")]
    HmacSha1,
    /// For shared keys.
    #[strum(serialize = "HMAC_SHA256")]
    HmacSha256,
}

/// A secret with its algorithm.
#[derive(Clone)]
pub struct Key {
    keyed: Keyed,
    /// The index among the endpoint's secrets.
    index: usize,
}

#[derive(Clone)]
enum Keyed {
    Sha1(HmacSha1Key),
    Sha256(HmacSha256Key),
}

impl Key {
    pub fn new(secret: &Secret, algorithm: Algorithm, index: usize) -> Self {
        let keyed = match algorithm {
            Algorithm::HmacSha1 => Keyed::Sha1(HmacSha1Key::new(secret.bytes())),
            Algorithm::HmacSha256 => Keyed::Sha256(HmacSha256Key::new(secret.bytes())),
        };
        Self { keyed, index }
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.keyed {
            Keyed::Sha1(_) => Algorithm::HmacSha1,
            Keyed::Sha256(_) => Algorithm::HmacSha256,
        }
    }

    fn matches(&self, parts: &[&[u8]], given: &[u8], work: &Work) -> bool {
        match &self.keyed {
            Keyed::Sha1(key) => key.matches(parts, given, work),
            Keyed::Sha256(key) => key.matches(parts, given, work),
        }
    }
}

/// The treatment of several parameters of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// Signs the distinct values, sorted, as Twilio does.
    Sorted,
    /// Signs those, or all values in the order sent: SignalWire's own libraries disagree.
    SortedOrAsSent,
}

/// Verifies the signature in the header of that name (lower case).
pub fn verify<'c>(
    callback: &'c Callback,
    header_name: &str,
    keys: &[&Key],
    repeated: Repeated,
    is_listed: IsListed,
    work: &Work,
) -> Result<Proof<'c>, VerifyError> {
    let value = header(callback, header_name)?.ok_or(VerifyError::Missing)?;
    let given = STANDARD.decode(value).map_err(|_| VerifyError::Malformed)?;
    let payload = SCHEME.payload.decode(callback);
    let form = covered_form(callback, &payload)?;
    let signing_key = |parameters: &Joined<'_>| {
        let signs = |origin: &str, target: &str| {
            let parts = [origin.as_bytes(), target.as_bytes(), &parameters.text];
            keys.iter().find(|key| key.matches(&parts, &given, work))
        };
        public_url::find_spelling(&callback.public_urls, &callback.target, signs)
    };
    let mut parameters = form.map(Joined::sorted).unwrap_or_default();
    let mut key = signing_key(&parameters);
    if let (None, Repeated::SortedOrAsSent, Some(form)) = (key, repeated, form) {
        let as_sent = Joined::as_sent(form);
        if as_sent.text != parameters.text {
            key = signing_key(&as_sent);
            parameters = as_sent;
        }
    }
    let key = key.ok_or(VerifyError::Mismatch)?;
    let request_key = key_without_spelling(&callback.target, &parameters.text);
    let is_readable = is_listed(callback, &payload, &parameters);
    drop(parameters);
    Ok(Proof::new(callback, &SCHEME, key.index, request_key).with_payload(payload).readable_if(is_readable))
}

/// The form whose parameters are signed after the URL; a GET's are signed with the URL. A body that is not covered is rejected: a
/// signature over the bare URL does not verify it.
fn covered_form<'p, 'c>(callback: &Callback, payload: &'p Payload<'c>) -> Result<Option<&'p Form<'c>>, VerifyError> {
    let is_empty = |form: &Form<'_>| callback.body.is_empty() || form.pairs().next().is_none();
    match payload {
        // A document was signed, and taken away.
        Payload::Form(form) if is_empty(form) && last_hash(callback.query()).is_some() => Err(VerifyError::NotCovered),
        _ if callback.body.is_empty() => Ok(None),
        // No provider sends a GET with a body; it would be a re-encoded POST.
        _ if callback.method == "GET" => Err(VerifyError::NotCovered),
        Payload::Form(form) => Ok(Some(form)),
        Payload::Document(document) if is_hashed(callback.query(), document.bytes()) => Ok(None),
        Payload::Document(_) => Err(VerifyError::NotCovered),
    }
}

/// The query parameter with the hash of a document.
const HASH: &str = "bodySHA256";

/// Returns true if the query ends in the lower-case hex SHA-256 of the body.
fn is_hashed(query: &str, body: &[u8]) -> bool {
    let is_named = |pair: &str| Form::decode(pair.as_bytes()).is_some_and(|form| form.has(HASH));
    last_hash(query).is_some_and(|hash| hash == hex::encode(Sha256::digest(body)))
        && query.split('&').filter(|pair| is_named(pair)).count() == 1
}

/// The hash at the end of a query. Twilio appends it as the last parameter; anywhere else it may be text of a form's value that was moved
/// into the URL.
fn last_hash(query: &str) -> Option<&str> {
    query.rsplit('&').next()?.strip_prefix(HASH)?.strip_prefix('=')
}

/// Adds the header that [`verify`] accepts.
pub fn sign(key: &Key, header_name: &str, outgoing: &mut Outgoing) {
    let form = outgoing.is_form().then(|| Form::decode(&outgoing.body)).flatten();
    let parameters = form.as_ref().map(Joined::sorted).unwrap_or_default();
    let url = outgoing.url();
    let parts = [url.as_bytes(), &parameters.text];
    let signature = match &key.keyed {
        Keyed::Sha1(key) => STANDARD.encode(key.digest(&parts)),
        Keyed::Sha256(key) => STANDARD.encode(key.digest(&parts)),
    };
    outgoing.header(header_name, signature);
}
