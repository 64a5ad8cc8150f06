//! The signature schemes, written a second time from their documentation and without Waybill's code: the digest that a request carries,
//! and the bytes that it signs.

use std::collections::BTreeMap;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde_json::{Value, value::RawValue};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The parts of a request that a scheme may read.
pub(crate) struct Parts<'r> {
    pub(crate) target: &'r str,
    pub(crate) headers: &'r [(String, String)],
    pub(crate) body: &'r [u8],
}

/// A digest or credential, and the bytes that it is to prove: those that are signed, and what they stand for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Claim {
    pub(crate) digest: Vec<u8>,
    pub(crate) signed: Vec<u8>,
    /// Bytes that are bound by a hash in the signed ones.
    pub(crate) bound: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// MD5 of the text followed by the key.
    Md5Suffix,
    HmacMd5,
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

pub(crate) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Md5Suffix, Algorithm::HmacMd5, Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::HmacSha512];

impl Algorithm {
    pub(crate) fn digest(self, key: &[u8], signed: &[u8]) -> Vec<u8> {
        macro_rules! hmac {
            ($Hash:ty) => {
                <Hmac<$Hash> as KeyInit>::new_from_slice(key)
                    .expect("any length")
                    .chain_update(signed)
                    .finalize()
                    .into_bytes()
                    .to_vec()
            };
        }
        match self {
            Self::Md5Suffix => Md5::new().chain_update(signed).chain_update(key).finalize().to_vec(),
            Self::HmacMd5 => hmac!(Md5),
            Self::HmacSha1 => hmac!(Sha1),
            Self::HmacSha256 => hmac!(Sha256),
            Self::HmacSha512 => hmac!(Sha512),
        }
    }
}

/// A secret with the algorithm that its scheme uses.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) bytes: Vec<u8>,
    pub(crate) algorithm: Algorithm,
}

/// The keys of a scheme in the settings of an account. Those of a scheme that covers nothing are the credentials.
pub(crate) fn keys(provider: &str, scheme: &str, settings: &BTreeMap<String, String>) -> Vec<Key> {
    let list = |name: &str| -> Vec<String> {
        settings.get(name).into_iter().flat_map(|value| value.split(',')).map(|item| item.trim().to_owned()).collect()
    };
    let with = |names: &[&str], algorithm: Algorithm| -> Vec<Key> {
        let secrets = names.iter().flat_map(|name| list(name));
        secrets.map(|secret| Key { bytes: secret.into_bytes(), algorithm }).collect()
    };
    let secrets = ["AUTH_TOKEN", "SIGNING_KEY", "SIGNATURE_SECRET"];
    match scheme {
        "request" => {
            let mut keys = with(&secrets, Algorithm::HmacSha1);
            for shared in list("SHARED_KEY") {
                let parts: Vec<&str> = shared.splitn(3, ':').collect();
                let algorithm = if parts[1] == "HMAC_SHA256" { Algorithm::HmacSha256 } else { Algorithm::HmacSha1 };
                keys.push(Key { bytes: parts[2].as_bytes().to_vec(), algorithm });
            }
            keys
        }
        "url-body-sha1" => with(&secrets, Algorithm::HmacSha1),
        "url-body-sha256" | "jwt" => with(&secrets, Algorithm::HmacSha256),
        "body-sha256" => with(&if provider == "twilio" { ["AUTH_TOKEN"] } else { ["WEBHOOK_SECRET"] }, Algorithm::HmacSha256),
        "svix" => {
            let decoded = |secret: &String| STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok();
            let secrets = list("WEBHOOK_SECRET").iter().filter_map(decoded).collect::<Vec<_>>();
            secrets.into_iter().map(|bytes| Key { bytes, algorithm: Algorithm::HmacSha256 }).collect()
        }
        "sms" => with(&secrets, method(settings.get("SIGNATURE_METHOD"))),
        "md5-plain" => with(&secrets, Algorithm::Md5Suffix),
        "basic" => with(&["BASIC_AUTH"], Algorithm::HmacSha256),
        "url-secret" => with(&["WEBHOOK_SECRET"], Algorithm::HmacSha256),
        "url-token" => with(&["URL_TOKEN"], Algorithm::HmacSha256),
        other => panic!("no scheme {other}"),
    }
}

fn method(name: Option<&String>) -> Algorithm {
    match name.map_or("md5hash", String::as_str) {
        "md5" => Algorithm::HmacMd5,
        "sha1" => Algorithm::HmacSha1,
        "sha256" => Algorithm::HmacSha256,
        "sha512" => Algorithm::HmacSha512,
        _ => Algorithm::Md5Suffix,
    }
}

/// The account that a request is sent to.
pub(crate) struct Account<'a> {
    pub(crate) provider: &'a str,
    pub(crate) settings: &'a BTreeMap<String, String>,
    /// Its public address.
    pub(crate) origin: &'a str,
}

impl Account<'_> {
    /// The claims that a request makes by that scheme: each digest with each text that the scheme may sign.
    pub(crate) fn claims(&self, scheme: &str, parts: &Parts<'_>) -> Vec<Claim> {
        let with = |digests: Vec<Vec<u8>>, texts: Vec<(Vec<u8>, Vec<u8>)>| -> Vec<Claim> {
            let claim = |digest: &Vec<u8>, (signed, bound): &(Vec<u8>, Vec<u8>)| Claim {
                digest: digest.clone(),
                signed: signed.clone(),
                bound: bound.clone(),
            };
            digests.iter().flat_map(|digest| texts.iter().map(move |text| claim(digest, text))).collect()
        };
        let signature = || parts.signature(&self.signature_header());
        let hex_digest = |name: &str| {
            let texts = parts.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
            texts
                .filter_map(|(_, text)| hex::decode(text.trim().strip_prefix("sha256=").unwrap_or(text.trim())).ok())
                .collect::<Vec<_>>()
        };
        match scheme {
            "request" => with(signature().iter().filter_map(|text| STANDARD.decode(text).ok()).collect(), self.joined(parts)),
            "url-body-sha1" | "url-body-sha256" => {
                let names = ["x-signalwire-signature", "x-twilio-signature", "x-signalwire-sha256-signature"];
                let texts = self.urls(parts.target).into_iter().map(|url| ([url.as_bytes(), parts.body].concat(), Vec::new()));
                with(names.iter().flat_map(|name| hex_digest(name)).collect(), texts.collect())
            }
            "body-sha256" => with(hex_digest(&self.signature_header()), vec![(parts.body.to_vec(), Vec::new())]),
            "svix" => ["svix", "webhook"].iter().flat_map(|family| svix(parts, family)).collect(),
            "jwt" => jwt(parts).into_iter().collect(),
            "sms" | "md5-plain" => sig(parts, scheme == "sms"),
            "basic" => {
                with(parts.credentials("basic").into_iter().filter_map(|text| STANDARD.decode(text).ok()).collect(), nothing())
            }
            "url-secret" => with(values(parts.query(), b"secret"), nothing()),
            "url-token" => with(parts.token().into_iter().collect(), nothing()),
            other => panic!("no scheme {other}"),
        }
    }

    pub(crate) fn signature_header(&self) -> String {
        let default = match self.provider {
            "twilio" => "X-Twilio-Signature",
            "resend" => "Resend-Signature",
            "signalwire" => "X-SignalWire-Signature",
            _ => "X-Webhook-Signature",
        };
        self.settings.get("SIGNATURE_HEADER").map_or(default, String::as_str).to_owned()
    }

    /// The spellings of the URL that the vendors' libraries try.
    fn urls(&self, target: &str) -> Vec<String> {
        let credentials = self.settings.get("BASIC_AUTH").into_iter().flat_map(|value| value.split(','));
        let authorities = credentials.map(|pair| format!("{}@", pair.trim())).chain([String::new()]);
        let host = self.origin.strip_prefix("https://").expect("an https origin");
        let origins =
            authorities.flat_map(|user| ["", ":443"].map(|port| format!("https://{user}{host}{port}"))).collect::<Vec<_>>();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let unescaped = query.replace("%40", "@").replace("%3A", ":").replace("%3a", ":");
        let glue = if target.contains('?') { "?" } else { "" };
        let targets = [query.to_owned(), unescaped].map(|query| format!("{path}{glue}{query}"));
        let targets = targets.iter().flat_map(|target| [target.clone(), target.replace('\'', "%27"), target.replace("%27", "'")]);
        targets.flat_map(|target| origins.iter().map(move |origin| format!("{origin}{target}")).collect::<Vec<_>>()).collect()
    }

    /// The URL followed by the parameters of a form, or a URL that ends in the hash of a document.
    fn joined(&self, parts: &Parts<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let hashes = values(parts.query(), b"bodySHA256");
        let is_hashed = hashes == [hex::encode(Sha256::digest(parts.body)).into_bytes()];
        let is_form = parts.is_form() || parts.body.is_empty();
        let (mut sorted, as_sent) = (decode(parts.body), decode(parts.body));
        sorted.sort();
        sorted.dedup();
        let mut ends: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if is_form && (hashes.is_empty() || !sorted.is_empty()) {
            ends.extend([sorted, stably_sorted(as_sent)].map(|pairs| (joined(&pairs), Vec::new())));
        } else if is_hashed && !is_form {
            ends.push((Vec::new(), parts.body.to_vec()));
        }
        let urls = self.urls(parts.target);
        let text = |url: &String, (end, bound): &(Vec<u8>, Vec<u8>)| ([url.as_bytes(), end].concat(), bound.clone());
        urls.iter().flat_map(|url| ends.iter().map(move |end| text(url, end))).collect()
    }
}

/// By name; values of one name in the order sent.
fn stably_sorted(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}

/// Each name followed by its value.
fn joined(pairs: &[Pair]) -> Vec<u8> {
    pairs.iter().flat_map(|(name, value)| [name.as_slice(), value].concat()).collect()
}

fn nothing() -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![(Vec::new(), Vec::new())]
}

impl<'r> Parts<'r> {
    fn query(&self) -> &'r str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The token at the end of the path.
    fn token(&self) -> Option<Vec<u8>> {
        let path = self.target.split('?').next().unwrap_or_default();
        path.rsplit_once("/t/").map(|(_, token)| token.as_bytes().to_vec())
    }

    /// All values of the headers of that name.
    fn header(&self, name: &str) -> Vec<&'r str> {
        self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The values of a signature's header, and of the name that SignalWire also sends.
    fn signature(&self, name: &str) -> Vec<&'r str> {
        [self.header(name), self.header("x-twilio-signature")].concat()
    }

    /// The text after that scheme in `Authorization`.
    fn credentials(&self, scheme: &str) -> Vec<&'r str> {
        let values = self.header("authorization").into_iter().filter_map(|value| value.split_once(' '));
        values.filter(|(name, _)| name.eq_ignore_ascii_case(scheme)).map(|(_, text)| text.trim()).collect()
    }

    /// In another charset than UTF-8 it is no form.
    fn is_form(&self) -> bool {
        let is_form = |value: &str| {
            let value = value.to_ascii_lowercase().replace([' ', '"'], "");
            let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
            let is_utf8 = |parameter: &str| parameter.strip_prefix("charset=").is_none_or(|charset| charset == "utf-8");
            essence == "application/x-www-form-urlencoded" && parameters.split(';').all(is_utf8)
        };
        matches!(self.header("content-type").as_slice(), [value] if is_form(value))
    }
}

type Pair = (Vec<u8>, Vec<u8>);

/// A name and its value; a JSON null has none.
type Parameter = (Vec<u8>, Option<Vec<u8>>);

/// Decides if a value is signed.
type IsSigned<'f> = &'f dyn Fn(&Parameter) -> bool;

/// The pairs of a form or a query.
pub(crate) fn decode(encoded: &[u8]) -> Vec<Pair> {
    let text = |part: &[u8]| {
        let blanks: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_encoding::percent_decode(&blanks).collect::<Vec<u8>>()
    };
    let pair = |field: &[u8]| match field.iter().position(|byte| *byte == b'=') {
        Some(at) => (text(&field[..at]), text(&field[at + 1..])),
        None => (text(field), Vec::new()),
    };
    encoded.split(|byte| *byte == b'&').filter(|field| !field.is_empty()).map(pair).collect()
}

fn values(query: &str, name: &[u8]) -> Vec<Vec<u8>> {
    decode(query.as_bytes()).into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect()
}

/// Standard Webhooks: `id.timestamp.body`, and a list of digests.
fn svix(parts: &Parts<'_>, family: &str) -> Vec<Claim> {
    let header = |name: &str| parts.header(&format!("{family}-{name}")).first().copied().unwrap_or_default();
    let signed = [header("id").as_bytes(), b".", header("timestamp").as_bytes(), b".", parts.body].concat();
    let digests = header("signature").split(' ').filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok());
    digests.map(|digest| Claim { digest, signed: signed.clone(), bound: Vec::new() }).collect()
}

/// A token over its first two segments, with the hash of the body or, without one, of the query as JSON.
fn jwt(parts: &Parts<'_>) -> Option<Claim> {
    let token = parts.credentials("bearer").first().copied()?;
    let (signed, digest) = token.rsplit_once('.')?;
    let digest = URL_SAFE_NO_PAD.decode(digest).ok()?;
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes)).to_string();
    let members: Vec<String> =
        decode(parts.query().as_bytes()).iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    let bound = if parts.body.is_empty() { format!("{{{}}}", members.join(",")).into_bytes() } else { parts.body.to_vec() };
    Some(Claim { digest, signed: signed.as_bytes().to_vec(), bound })
}

/// The parameters without `sig`, sorted, with each treatment of blank and missing values that the vendor's libraries have.
fn sig(parts: &Parts<'_>, is_sms: bool) -> Vec<Claim> {
    let Some(mut pairs) = parameters(parts) else { return Vec::new() };
    pairs.sort();
    let digests: Vec<Vec<u8>> = pairs
        .iter()
        .filter(|(name, _)| name == b"sig")
        .filter_map(|(_, value)| hex::decode(value.as_deref().unwrap_or_default()).ok())
        .collect();
    let is_blank = |value: Option<&Vec<u8>>| value.is_none_or(|value| value.trim_ascii().is_empty());
    let treatments: [IsSigned<'_>; 3] = [&|(_, value)| value.is_some(), &|(_, value)| !is_blank(value.as_ref()), &|_| true];
    let joined = treatments.map(|is_signed| {
        let fields = pairs.iter().filter(|pair| pair.0 != b"sig" && is_signed(pair)).map(|(name, value)| {
            let value = value.clone().unwrap_or_default();
            let replaced = value.iter().map(|byte| if is_sms && b"&=".contains(byte) { b'_' } else { *byte }).collect();
            [name.clone(), b"=".to_vec(), replaced].concat()
        });
        let fields = fields.collect::<Vec<_>>().join(&b'&');
        if is_sms { [b"&".to_vec(), fields].concat() } else { fields }
    });
    let claim = |digest: &Vec<u8>, signed: &Vec<u8>| Claim { digest: digest.clone(), signed: signed.clone(), bound: Vec::new() };
    digests.iter().flat_map(|digest| joined.iter().map(move |signed| claim(digest, signed))).collect()
}

/// The parameters of the query, the form or the JSON object; a number as it is written, a null without a value.
fn parameters(parts: &Parts<'_>) -> Option<Vec<Parameter>> {
    if parts.body.is_empty() || parts.is_form() {
        let encoded = if parts.body.is_empty() { parts.query().as_bytes() } else { parts.body };
        return Some(decode(encoded).into_iter().map(|(name, value)| (name, Some(value))).collect());
    }
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(parts.body).ok()?;
    let text = |value: &RawValue| match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(value.get()).ok().map(String::into_bytes),
        Some(b'n') => None,
        _ => Some(value.get().as_bytes().to_vec()),
    };
    Some(members.iter().map(|(name, value)| (name.clone().into_bytes(), text(value))).collect())
}
