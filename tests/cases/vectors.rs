//! Published signature vectors and their negatives: `fixtures/<provider>/vectors.toml`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use libtest_mimic::Trial;
use serde::Deserialize;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    providers,
    secret::Secret,
    signature::{HmacSha256Key, SignedParameters, Work, jwt, request, sms, url_body},
    time::Timestamp,
};

use crate::support::timing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    /// The scheme of vectors that name none.
    #[serde(default)]
    scheme: String,
    /// Values of a repeated parameter may be signed in the order sent.
    #[serde(default)]
    repeated_as_sent: bool,
    vector: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// The place of publication.
    #[serde(rename = "source")]
    _source: String,
    /// The scheme, if it is not that of the whole file.
    #[serde(default)]
    scheme: String,
    /// That of the whole file.
    #[serde(skip)]
    repeated_as_sent: bool,
    /// The configured method of the scheme `sms`.
    #[serde(default)]
    method_name: String,
    /// The configured tolerance of the schemes `sms` and `md5-plain`.
    tolerance: Option<u64>,
    secret: String,
    #[serde(default)]
    public_url: Option<String>,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    target: String,
    /// The algorithm configured with the secret.
    #[serde(default = "hmac_sha1")]
    algorithm: String,
    body: String,
    #[serde(default)]
    now: i64,
    verified: bool,
    headers: BTreeMap<String, String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn hmac_sha1() -> String {
    "HMAC_SHA1".to_owned()
}

impl Vector {
    fn callback(&self) -> Callback {
        let public_url = self.public_url.as_deref().unwrap_or("https://hooks.example.com");
        Callback {
            method: self.method.clone(),
            target: self.target.clone(),
            route: "",
            url_token: None,
            client: None,
            public_urls: Arc::from([public_url.parse().expect("a public URL")]),
            headers: self.headers.iter().map(|(name, value)| (name, value.as_bytes())).collect(),
            body: Bytes::from(self.body.clone()),
            received_at: Timestamp::from_seconds(self.now).expect("an instant"),
        }
    }
}

/// One trial per vector of every provider that has some.
pub(crate) fn trials() -> Vec<Trial> {
    providers::ALL.iter().flat_map(|spec| load(spec.name).into_iter().map(|vector| trial(spec.name, vector))).collect()
}

fn load(provider: &str) -> Vec<Vector> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider).join("vectors.toml");
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let Vectors { scheme, repeated_as_sent, vector } = toml::from_str(&text).expect("vectors");
    let complete =
        |one: Vector| Vector { scheme: if one.scheme.is_empty() { scheme.clone() } else { one.scheme }, repeated_as_sent, ..one };
    vector.into_iter().map(complete).collect()
}

fn trial(provider: &str, vector: Vector) -> Trial {
    let name = format!("vector {provider} {} {}", vector.scheme, vector.name);
    timing::trial(name, move || assert_eq!(is_verified(&vector), vector.verified))
}

/// Verifies by the scheme alone.
fn is_verified(vector: &Vector) -> bool {
    let (callback, secret) = (vector.callback(), Secret::new(&vector.secret));
    let header = ["x-signalwire-signature", "x-twilio-signature"].into_iter().find(|name| callback.headers.has(name));
    let header = header.unwrap_or("x-twilio-signature");
    let work = Work::default();
    let by_body = |header, scheme| {
        url_body::verify(&callback, header, scheme, &[url_body::Key::new(&secret)], |_, _, _| true, &work).is_ok()
    };
    let by_sig = |sms: Option<&[sms::Key]>, md5_plain: Option<&[Secret]>| {
        SignedParameters::decode(&callback).is_some_and(|signed| signed.verify(sms, md5_plain, vector.tolerance, &work).is_ok())
    };
    match vector.scheme.as_str() {
        "request" => {
            let key = request::Key::new(&secret, vector.algorithm.parse().expect("an algorithm"), 0);
            let repeated = if vector.repeated_as_sent { request::Repeated::SortedOrAsSent } else { request::Repeated::Sorted };
            request::verify(&callback, header, &[&key], repeated, |_, _, _| true, &work).is_ok()
        }
        "svix" => is_verified_by_resend(vector),
        "sms" => by_sig(Some(&[sms::Key::new(&secret, vector.method_name.parse().expect("a method"))]), None),
        "md5-plain" => by_sig(None, Some(&[secret])),
        "jwt" => jwt::verify(&callback, &[HmacSha256Key::new(secret.bytes())], None, &work).is_ok(),
        "url-body-sha1" => by_body(header, &url_body::SHA1),
        "url-body-sha256" => by_body("x-signalwire-sha256-signature", &url_body::SHA256),
        other => panic!("no scheme {other}"),
    }
}

/// Verifies through the configuration, because the secret has several encodings.
fn is_verified_by_resend(vector: &Vector) -> bool {
    let env: Env = [("RESEND_WEBHOOK_SECRET", vector.secret.as_str())].into_iter().collect();
    let config = Config::load(&env).expect("a configuration").config;
    let callback = vector.callback();
    config.endpoints.into_iter().all(|endpoint| endpoint.build().verify(&callback).is_ok())
}
