//! The binding oracle: a change to any stored field of an accepted request breaks its signature.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{
    Described, PUBLIC_URL,
    case::TestRequest,
    forgery::{
        edits,
        judge::Judge,
        reference::{Account, Claim, Key, Parts, keys},
    },
    now,
    support::numbers::Numbers,
    variables,
};

static JUDGE: LazyLock<Judge> = LazyLock::new(|| Judge::new(variables(), PUBLIC_URL, now()));

/// The settings of a provider, without its prefix.
fn settings(provider: &str) -> BTreeMap<String, String> {
    let prefix = format!("{}_", provider.to_uppercase());
    let own = |(name, value): (String, String)| Some((name.strip_prefix(&prefix)?.to_owned(), value));
    variables().into_iter().filter_map(own).collect()
}

/// Signs the request that an input describes, edits it as the first eight bytes decide, and fails if the edited one is accepted with
/// another claim than the signed one, or with the same claim and other fields.
pub fn check(data: &[u8]) {
    let Some((seed, data)) = data.split_first_chunk::<8>() else { return };
    let Some(described) = Described::parse(data).filter(|described| described.scheme.covers_payload) else { return };
    let original: TestRequest = described.signed().into();
    let Some(accepted) = JUDGE.accept(&original).filter(|accepted| accepted.covers_payload) else { return };
    let mut edited = original.clone();
    edits::edit(&mut edited, &mut Numbers::new(u64::from_le_bytes(*seed)));
    let Some(other) = JUDGE.accept(&edited).filter(|other| other.covers_payload) else { return };
    let provider = described.endpoint.spec.name;
    let settings = settings(provider);
    let account = Account { provider, settings: &settings, origin: PUBLIC_URL };
    let proven = |request: &TestRequest, scheme: &str| -> Vec<Claim> {
        let keys = keys(provider, scheme, &settings);
        let is_given = |claim: &Claim, key: &Key| claim.digest == key.algorithm.digest(&key.bytes, &claim.signed);
        let parts = Parts { target: &request.target, headers: &request.headers, body: &request.body };
        account.claims(scheme, &parts).into_iter().filter(|claim| keys.iter().any(|key| is_given(claim, key))).collect()
    };
    let (known, claimed) = (proven(&original, other.scheme), proven(&edited, other.scheme));
    assert!(claimed.iter().any(|claim| known.contains(claim)), "accepted with a claim that was never signed");
    assert!(!other.is_parsed || other.fields == accepted.fields, "other fields under the same signature");
    assert!(!other.is_parsed || other.key == accepted.key, "another key under the same signature");
}
