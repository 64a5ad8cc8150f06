//! Published signature vectors and their negatives: `fixtures/<provider>/vectors.toml`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use waybill::{
    callback::Callback,
    config::{Config, Env},
    secret::Secret,
    signature::request,
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
    twilio.chain(resend).collect()
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
    request::verify(&callback, "x-twilio-signature", &[&key]).is_ok()
}

/// Through the configuration, because the secret has several spellings.
fn is_genuine_svix(vector: &Vector) -> bool {
    let env: Env = [("RESEND_WEBHOOK_SECRET", vector.secret.as_str())].into_iter().collect();
    let config = Config::load(&env).expect("a configuration").config;
    let callback = vector.callback();
    config.endpoints.iter().all(|endpoint| endpoint.verify(&callback).is_ok())
}
