//! Verifiers with one weakness each, written for this test. Every one accepts a forgery that is found.

use std::collections::BTreeSet;

use libtest_mimic::Trial;

use super::{
    MUTANTS,
    group::{Class, Golden, Group, groups},
    judge::Accepted,
    mutants,
    reference::{ALGORITHMS, Claim, Key},
};
use crate::{
    case::TestRequest,
    support::{numbers::Numbers, timing},
};

/// A comparison of the digest of a claim with that of a key.
type Comparison = fn(&Claim, &Key) -> bool;

/// Its name, the schemes that it is tried on, and the comparison.
struct Weakness {
    name: &'static str,
    schemes: &'static [(&'static str, &'static str)],
    matches: Comparison,
}

const SIGNED: &[(&str, &str)] = &[
    ("twilio", "request"),
    ("twilio", "body-sha256"),
    ("resend", "svix"),
    ("signalwire", "url-body-sha1"),
    ("vonage", "sms"),
    ("vonage", "md5-plain"),
    ("vonage", "jwt"),
];

const WEAKNESSES: [Weakness; 6] = [
    Weakness {
        name: "compares as many bytes as were sent",
        schemes: SIGNED,
        matches: |claim, key| digest(claim, key).starts_with(&claim.digest),
    },
    Weakness {
        name: "compares the first byte",
        schemes: SIGNED,
        matches: |claim, key| digest(claim, key).first() == claim.digest.first(),
    },
    Weakness {
        name: "takes a digest of the right length for a right one",
        schemes: SIGNED,
        matches: |claim, key| claim.digest.len() == digest(claim, key).len(),
    },
    Weakness {
        name: "lets the request choose the algorithm",
        schemes: &[("mifumo", "body-sha256"), ("signalwire", "url-body-sha1"), ("vonage", "sms")],
        matches: |claim, key| ALGORITHMS.iter().any(|algorithm| claim.digest == algorithm.digest(&key.bytes, &claim.signed)),
    },
    Weakness {
        name: "has an empty secret",
        schemes: SIGNED,
        matches: |claim, key| is_right(claim, key) || claim.digest == key.algorithm.digest(b"", &claim.signed),
    },
    // The MAC is right, but neither the time nor the rest of the token is looked at, as in the vendor's libraries.
    Weakness { name: "checks nothing but the digest", schemes: &[("resend", "svix"), ("vonage", "jwt")], matches: is_right },
];

/// Schemes in which a right digest is all that there is to check.
const COMPLETE: [(&str, &str); 4] =
    [("mifumo", "body-sha256"), ("twilio", "request"), ("signalwire", "url-body-sha256"), ("vonage", "md5-plain")];

fn digest(claim: &Claim, key: &Key) -> Vec<u8> {
    key.algorithm.digest(&key.bytes, &claim.signed)
}

fn is_right(claim: &Claim, key: &Key) -> bool {
    claim.digest == digest(claim, key)
}

/// The verdict of a verifier with that comparison. A recorded request leads to what it leads to.
fn verdict(group: &Group, golden: &Golden, request: &TestRequest, matches: Comparison) -> Option<Accepted> {
    let claims = group.claims(golden.scheme, request);
    claims.iter().find(|claim| golden.keys.iter().any(|key| matches(claim, key)))?;
    let unknown =
        || Accepted { scheme: golden.scheme, covers_payload: true, key: [0; 16], is_parsed: true, fields: String::new() };
    Some(claims.iter().find_map(|claim| group.known.get(claim)).cloned().unwrap_or_else(unknown))
}

fn finds_a_forgery(groups: &[Group], mutants_at_most: usize, matches: Comparison) -> bool {
    let mut numbers = Numbers::new(Numbers::seed("FORGERY_SEED"));
    let by = |group: &Group, golden: &Golden, request: &TestRequest| verdict(group, golden, request, matches);
    mutants(groups, &by, &mut numbers).take(mutants_at_most).any(|(class, ..)| class == Class::Forged)
}

/// One trial per scheme, with every weakness.
pub(super) fn trials() -> Vec<Trial> {
    let schemes: BTreeSet<(&str, &'static str)> =
        WEAKNESSES.iter().flat_map(|weakness| weakness.schemes).chain(&COMPLETE).copied().collect();
    let trial = |scheme: (&'static str, &'static str)| {
        timing::trial(format!("forgeries of weak verifiers of {} {} are found", scheme.0, scheme.1), move || {
            let groups = groups(scheme.0, scheme.1);
            for weakness in WEAKNESSES.iter().filter(|weakness| weakness.schemes.contains(&scheme)) {
                assert!(finds_a_forgery(&groups, MUTANTS, weakness.matches), "none of a verifier that {}", weakness.name);
            }
            if COMPLETE.contains(&scheme) {
                assert!(!finds_a_forgery(&groups, MUTANTS / 10, is_right), "one of a verifier that is right");
            }
        })
    };
    schemes.into_iter().map(trial).collect()
}
