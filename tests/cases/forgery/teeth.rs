//! Verifiers with one weakness each, written for this test. Every one accepts a forgery that is found.

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

fn finds_a_forgery(provider: &str, scheme: &'static str, matches: Comparison) -> bool {
    let groups = groups(provider, scheme);
    let mut numbers = Numbers::new(Numbers::seed("FORGERY_SEED"));
    let by = |group: &Group, golden: &Golden, request: &TestRequest| verdict(group, golden, request, matches);
    mutants(&groups, &by, &mut numbers).take(MUTANTS).any(|(class, ..)| class == Class::Forged)
}

pub(super) fn trials() -> Vec<Trial> {
    let weak = WEAKNESSES.iter().map(|weakness| {
        timing::trial(format!("forgeries of a verifier that {} are found", weakness.name), || {
            for (provider, scheme) in weakness.schemes {
                assert!(finds_a_forgery(provider, scheme, weakness.matches), "{provider} {scheme}");
            }
        })
    });
    let right = timing::trial("forgeries of a verifier that is right are not found", || {
        for (provider, scheme) in COMPLETE {
            assert!(!finds_a_forgery(provider, scheme, is_right), "{provider} {scheme}");
        }
    });
    weak.chain([right]).collect()
}
