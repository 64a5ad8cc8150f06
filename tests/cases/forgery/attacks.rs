//! Requests that are signed, and not as the account's scheme demands: by another key, another algorithm, another account, at another time,
//! or for another request.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    edits,
    group::{Golden, Group},
    reference::{ALGORITHMS, Algorithm, Key},
};
use crate::{case::TestRequest, proof::Place, support::numbers::Numbers};

/// Beyond every tolerance, in seconds.
const STALE: [i64; 8] = [-301, 301, -3_600, 3_600, -86_400, 86_400, -315_360_000, 315_360_000];

/// The kind of an attack.
type Attack = fn(&Group, &Golden, &mut Numbers) -> Option<TestRequest>;

pub(super) const ATTACKS: [Attack; 5] =
    [by_another_key, by_another_algorithm, by_another_account, of_another_request, at_another_time];

/// A mutant of a request.
pub(super) fn mutant(group: &Group, golden: &Golden, numbers: &mut Numbers) -> TestRequest {
    let attack = numbers.below(10);
    if attack < 3
        && let Some(request) = numbers.pick(&ATTACKS)(group, golden, numbers)
    {
        return request;
    }
    let mut request = golden.request.clone();
    // Only the proof itself protects a request that is not signed.
    if attack < 6 || !golden.covers_payload {
        if golden.places.is_empty() {
            return request;
        }
        let place = numbers.pick(&golden.places);
        let value = edits::respelled(&place.value(&request), numbers);
        return place.replaced(&request, &value);
    }
    edits::edit(&mut request, numbers);
    request
}

/// The place of the digest, for a scheme that has one.
fn digest_place(golden: &Golden) -> Option<&Place> {
    let is_digest = |place: &&Place| match place {
        Place::Header(index) => {
            let name = golden.request.headers[*index].0.to_ascii_lowercase();
            name.ends_with("-signature") || (golden.scheme == "jwt" && name == "authorization")
        }
        Place::Query(name) | Place::Form(name) | Place::Member(name) => *name == "sig",
        Place::Token => false,
    };
    golden.covers_payload.then(|| golden.places.iter().find(is_digest)).flatten()
}

/// The request with the digest of that key over what the scheme signs. A token is made for it.
fn resigned(group: &Group, golden: &Golden, request: &TestRequest, key: &Key, seconds: i64) -> Option<TestRequest> {
    let place = digest_place(golden)?;
    if golden.scheme == "jwt" {
        let claims = claims(request, seconds, &group.api_key());
        return Some(
            place.replaced(request, &format!("Bearer {}", token(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, key))),
        );
    }
    // Its text is needed for the form that the digest has, not for its value.
    let value = place.value(&golden.request);
    let signed = group.claims(golden.scheme, request).into_iter().next()?.signed;
    let digest = key.algorithm.digest(&key.bytes, &signed);
    let text = match golden.scheme {
        "request" => STANDARD.encode(digest),
        "svix" => format!("v1,{}", STANDARD.encode(digest)),
        _ if value.starts_with("sha256=") => format!("sha256={}", hex::encode(digest)),
        _ => hex::encode(digest),
    };
    Some(place.replaced(request, &text))
}

fn claims(request: &TestRequest, seconds: i64, api_key: &str) -> serde_json::Value {
    let hash = hex::encode(Sha256::digest(&request.body));
    json!({ "iat": seconds, "jti": "x", "iss": "Vonage", "payload_hash": hash, "api_key": api_key })
}

fn token(header: &serde_json::Value, claims: &serde_json::Value, key: &Key) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let digest = key.algorithm.digest(&key.bytes, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(digest))
}

/// A key that an attacker may know: the empty one, that of another account, or the secret in another form.
fn by_another_key(group: &Group, golden: &Golden, numbers: &mut Numbers) -> Option<TestRequest> {
    let key = numbers.pick(&golden.keys).clone();
    let others: Vec<Vec<u8>> = vec![
        Vec::new(),
        b" ".to_vec(),
        b"whsec_".to_vec(),
        vec![b'0'; 32],
        key.bytes.iter().rev().copied().collect(),
        key.bytes[..key.bytes.len() - 1].to_vec(),
        key.bytes.to_ascii_uppercase().into_iter().map(|byte| byte ^ 0x20).collect(),
        hex::encode(&key.bytes).into_bytes(),
        STANDARD.encode(&key.bytes).into_bytes(),
        format!("whsec_{}", STANDARD.encode(&key.bytes)).into_bytes(),
        golden.request.target.clone().into_bytes(),
        vec![numbers.byte(); 16],
    ];
    let key = Key { bytes: numbers.pick(&others).clone(), ..key };
    resigned(group, golden, &edited(golden, numbers), &key, group.seconds())
}

/// The request, or a copy in which the body differs.
fn edited(golden: &Golden, numbers: &mut Numbers) -> TestRequest {
    let mut request = golden.request.clone();
    // A parameter that carries the digest must stay where it is.
    let has_digest_in_body = golden.places.iter().any(|place| !matches!(place, Place::Header(_)));
    if !has_digest_in_body && numbers.below(2) == 0 {
        request.body.push(b' ');
    }
    request
}

/// The account's own secret, with an algorithm that it does not use, or in a token that names another one.
fn by_another_algorithm(group: &Group, golden: &Golden, numbers: &mut Numbers) -> Option<TestRequest> {
    let key = numbers.pick(&golden.keys).clone();
    if golden.scheme == "jwt" {
        return Some(by_another_token(group, golden, &key, numbers));
    }
    let algorithm = *numbers.pick(&ALGORITHMS);
    if golden.keys.iter().any(|own| own.algorithm == algorithm) || (golden.scheme == "sms" && algorithm == Algorithm::Md5Suffix) {
        return None;
    }
    resigned(group, golden, &golden.request, &Key { algorithm, ..key }, group.seconds())
}

/// A token that is wrong in one way, signed by the account's own secret where that is not it.
fn by_another_token(group: &Group, golden: &Golden, key: &Key, numbers: &mut Numbers) -> TestRequest {
    let (request, seconds) = (&golden.request, group.seconds());
    let good = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = claims(request, seconds, &group.api_key());
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let header = |header: serde_json::Value| (header, claims.clone(), key.clone());
    let other_key = |bytes: &[u8]| Key { bytes: bytes.to_vec(), ..key.clone() };
    let hs512 = Key { algorithm: Algorithm::HmacSha512, ..key.clone() };
    let tokens = [
        header(json!({ "alg": "none" })),
        header(json!({ "alg": "nOnE", "typ": "JWT" })),
        header(json!({ "alg": "RS256", "typ": "JWT" })),
        header(json!({ "alg": "ES256" })),
        header(json!({ "alg": "HS512" })),
        header(json!({ "alg": "HS256", "crit": ["exp"] })),
        header(json!({ "alg": "HS256", "crit": null })),
        header(json!({ "alg": "HS256", "b64": false })),
        header(json!({ "alg": ["HS256"] })),
        header(json!({ "typ": "JWT" })),
        (json!({ "alg": "HS512" }), claims.clone(), hs512.clone()),
        (good.clone(), claims.clone(), hs512),
        (
            json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode("mine") } }),
            claims.clone(),
            other_key(b"mine"),
        ),
        (json!({ "alg": "HS256", "kid": "/dev/null" }), claims.clone(), other_key(b"")),
        (good.clone(), without("payload_hash"), key.clone()),
        (good.clone(), without("iat"), key.clone()),
        (good.clone(), without("iss"), key.clone()),
        (good.clone(), with("iss", json!("other")), key.clone()),
        (good.clone(), with("iat", json!(seconds.to_string())), key.clone()),
        (good.clone(), with("iat", json!(null)), key.clone()),
        (good.clone(), with("iat", json!([seconds])), key.clone()),
        (good.clone(), with("payload_hash", json!(hex::encode(Sha256::digest(b"other")))), key.clone()),
        (good.clone(), with("payload_hash", json!("")), key.clone()),
        (good, with("payload_hash", json!(null)), key.clone()),
    ];
    let (header, claims, key) = numbers.pick(&tokens);
    let mut text = token(header, claims, key);
    if header["alg"] == "none" {
        text.truncate(text.rfind('.').expect("a signature") + 1);
    }
    let place = digest_place(golden).expect("a token");
    place.replaced(request, &format!("Bearer {text}"))
}

/// The request, as the account `other` would sign it.
fn by_another_account(_: &Group, golden: &Golden, _: &mut Numbers) -> Option<TestRequest> {
    golden.by_other.clone()
}

/// The proof of one request on another.
fn of_another_request(group: &Group, golden: &Golden, numbers: &mut Numbers) -> Option<TestRequest> {
    let donor = numbers.pick(&group.goldens);
    let mut request = golden.request.clone();
    if golden.places.iter().all(|place| matches!(place, Place::Header(_))) {
        let is_proof = |headers: &[(String, String)], places: &[Place], at: usize| {
            places.iter().any(|place| matches!(place, Place::Header(index) if *index == at && *index < headers.len()))
        };
        let kept = request.headers.iter().enumerate().filter(|(at, _)| !is_proof(&request.headers, &golden.places, *at));
        let taken =
            donor.request.headers.iter().enumerate().filter(|(at, _)| is_proof(&donor.request.headers, &donor.places, *at));
        request.headers = kept.chain(taken).map(|(_, header)| header.clone()).collect();
        return Some(request);
    }
    let (place, other) = (digest_place(golden)?, digest_place(donor)?);
    Some(place.replaced(&request, &other.value(&donor.request)))
}

/// The request, rightly signed at a time beyond the tolerance.
fn at_another_time(group: &Group, golden: &Golden, numbers: &mut Numbers) -> Option<TestRequest> {
    let seconds = group.seconds() + numbers.pick(&STALE);
    let mut request = golden.request.clone();
    match golden.scheme {
        "jwt" => {}
        "svix" => {
            let spellings =
                [seconds.to_string(), format!("+{}", group.seconds()), format!("{}.0", group.seconds()), format!(" {seconds}")];
            let is_time = |name: &str| name.to_ascii_lowercase().ends_with("-timestamp");
            let (_, value) = request.headers.iter_mut().find(|(name, _)| is_time(name))?;
            value.clone_from(numbers.pick(&spellings));
        }
        _ => return None,
    }
    resigned(group, golden, &request, numbers.pick(&golden.keys), seconds)
}
