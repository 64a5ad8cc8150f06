//! Published signature vectors and their negatives: `fixtures/<provider>/vectors.toml`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    secret::Secret,
    signature::{jwt, md5_plain, request, sms, url_body},
    time::Timestamp,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    vector: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// Where it was published.
    #[serde(rename = "source")]
    _source: String,
    /// The scheme, where a provider has several.
    #[serde(default)]
    scheme: String,
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
    genuine: bool,
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

/// One trial per vector.
pub(crate) fn trials() -> Vec<Trial> {
    let twilio = load("twilio").into_iter().map(|vector| trial("twilio request", vector, is_genuine_request));
    let resend = load("resend").into_iter().map(|vector| trial("resend svix", vector, is_genuine_svix));
    let vonage = load("vonage").into_iter().map(|vector| trial("vonage", vector, is_genuine_vonage));
    let signalwire = load("signalwire").into_iter().map(|vector| trial("signalwire", vector, is_genuine_signalwire));
    twilio.chain(resend).chain(vonage).chain(signalwire).collect()
}

fn load(provider: &str) -> Vec<Vector> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider).join("vectors.toml");
    let vectors: Vectors = toml::from_str(&fs::read_to_string(file).expect("a file")).expect("vectors");
    vectors.vector
}

fn trial(scheme: &str, vector: Vector, is_genuine: fn(&Vector) -> bool) -> Trial {
    Trial::test(format!("vector {scheme} {}", vector.name), move || -> Result<(), Failed> {
        assert_eq!(is_genuine(&vector), vector.genuine);
        Ok(())
    })
}

/// The scheme alone: most published requests are voice calls, which have another shape than messages.
fn is_genuine_request(vector: &Vector) -> bool {
    let callback = vector.callback();
    let algorithm = vector.algorithm.parse().expect("an algorithm");
    let key = request::Key { secret: Secret::new(&vector.secret), algorithm, index: 0 };
    request::verify(&callback, "x-twilio-signature", &[&key], request::Repeated::Sorted).is_ok()
}

fn is_genuine_vonage(vector: &Vector) -> bool {
    let (callback, secrets) = (vector.callback(), [Secret::new(&vector.secret)]);
    match vector.scheme.as_str() {
        "sms" => sms::verify(&callback, &secrets, vector.method_name.parse().expect("a method"), vector.tolerance).is_ok(),
        "md5-plain" => md5_plain::verify(&callback, &secrets, vector.tolerance).is_ok(),
        "jwt" => jwt::verify(&callback, &secrets, None).is_ok(),
        other => panic!("no scheme {other}"),
    }
}

fn is_genuine_signalwire(vector: &Vector) -> bool {
    let (callback, secrets) = (vector.callback(), [Secret::new(&vector.secret)]);
    let has = |name: &str| callback.headers.has(name);
    let sha1_header = if has("x-signalwire-signature") { "x-signalwire-signature" } else { "x-twilio-signature" };
    match vector.scheme.as_str() {
        "url-body-sha1" => url_body::verify(&callback, sha1_header, &url_body::SHA1, &secrets).is_ok(),
        "url-body-sha256" => url_body::verify(&callback, "x-signalwire-sha256-signature", &url_body::SHA256, &secrets).is_ok(),
        "request" => {
            let key = request::Key { secret: secrets[0].clone(), algorithm: request::Algorithm::HmacSha1, index: 0 };
            request::verify(&callback, sha1_header, &[&key], request::Repeated::SortedOrAsSent).is_ok()
        }
        other => panic!("no scheme {other}"),
    }
}

/// Through the configuration, because the secret has several spellings.
fn is_genuine_svix(vector: &Vector) -> bool {
    let env: Env = [("RESEND_WEBHOOK_SECRET", vector.secret.as_str())].into_iter().collect();
    let config = Config::load(&env).expect("a configuration").config;
    let callback = vector.callback();
    config.endpoints.iter().all(|endpoint| endpoint.verify(&callback).is_ok())
}
