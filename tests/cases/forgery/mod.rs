//! Forgeries: mutants of every recorded request, by clients that know no secret. None is accepted.
//!
//! A mutant is a recorded, rightly signed request with edits of its bytes, parameters, headers, URL or digest, or one that is signed
//! by another key, algorithm, account or time. If it is accepted, it has to be **the same request**; otherwise it is a forgery:
//!
//! 1. It carries the digest of a recorded request, whole, over the same signed bytes, and what these bind by a hash is the same. Both are
//!    read by `reference`, which implements the schemes a second time and without Waybill's code.
//! 2. It has the key of that request, and every field of its events is equal. Method, URL and body are stored as received, and may be
//!    spelled in another way where the scheme does not sign the spelling.
//!
//! Two other outcomes are counted apart. **Not parsed**: the digest is that of a recorded request over the same signed bytes, which have no
//! delimiters and were cut in another way, and all that is stored is one unknown event without an effect. **Not covered**: the scheme
//! covers nothing but the credential, which is a recorded one.
//!
//! `FORGERY_MUTANTS` sets the number for each scheme (10,000), and `FORGERY_SEED` repeats a run.

mod attacks;
mod edits;
mod fields;
mod group;
mod judge;
mod reference;
mod teeth;

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use waybill::providers;

use self::{
    group::{Class, Golden, Group, groups},
    judge::Accepted,
};
use crate::{
    case::{TestRequest, gateway},
    support::{database::Backend, numbers::Numbers, timing, variable},
};

/// Mutants of each scheme.
const MUTANTS: usize = 10_000;

/// Those of each scheme that are also sent to a gateway.
const SENT: usize = 40;

/// A verdict about a request: as it would be stored, if it is accepted.
type Verdict<'v> = &'v dyn Fn(&Group, &Golden, &TestRequest) -> Option<Accepted>;

/// A number of mutants, each with its group, its origin and its verdict.
fn mutants<'g>(
    groups: &'g [Group],
    verdict: Verdict<'g>,
    numbers: &'g mut Numbers,
) -> impl Iterator<Item = (Class, &'g Group, &'g Golden, TestRequest, Option<Accepted>)> {
    let all: Vec<(&Group, &Golden)> =
        groups.iter().flat_map(|group| group.goldens.iter().map(move |golden| (group, golden))).collect();
    std::iter::repeat_with(move || {
        let (group, golden) = *numbers.pick(&all);
        let request = attacks::mutant(group, golden, numbers);
        (group, golden, request)
    })
    .filter(|(_, golden, request)| *request != golden.request)
    .map(move |(group, golden, request)| {
        let accepted = verdict(group, golden, &request);
        (group.class(&request, accepted.as_ref()), group, golden, request, accepted)
    })
}

fn shown(golden: &Golden, request: &TestRequest) -> String {
    let show = |request: &TestRequest| {
        let TestRequest { method, target, headers, body } = request;
        format!("{method} {target}\n{headers:?}\n{}", String::from_utf8_lossy(body))
    };
    format!("{}/{}\n{}\n\nbecame\n{}", golden.case.spec.name, golden.case.name, show(&golden.request), show(request))
}

/// No mutant is a forgery, in the process and through a gateway.
fn no_forgery_is_accepted(provider: &str, scheme: &'static str) {
    let count = variable("FORGERY_MUTANTS").map_or(MUTANTS, |count| count.parse().expect("FORGERY_MUTANTS is a number"));
    let seed = Numbers::seed("FORGERY_SEED");
    let groups = groups(provider, scheme);
    let mut numbers = Numbers::new(seed);
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    let mut sent: Vec<(Class, &Golden, TestRequest)> = Vec::new();
    // Through a gateway of one configuration, the one with most requests.
    let largest = groups.iter().max_by_key(|group| group.goldens.len()).expect("a group");
    let verdict = |group: &Group, _: &Golden, request: &TestRequest| group.judge.accept(request);
    for (class, group, golden, request, accepted) in mutants(&groups, &verdict, &mut numbers).take(count) {
        let fields = accepted.map(|accepted| accepted.fields).unwrap_or_default();
        assert!(class != Class::Forged, "a forgery is accepted; FORGERY_SEED={seed}\n{}\n\n{fields}", shown(golden, &request));
        *counts.entry(class).or_default() += 1;
        if sent.len() < SENT && std::ptr::eq(group, largest) && class != Class::NotParsed && can_be_sent(&request) {
            sent.push((class, golden, request));
        }
    }
    send(&sent, seed);
    println!("forgeries {provider} {scheme}: {count} mutants, {counts:?}; FORGERY_SEED={seed}");
}

/// Sends mutants to a gateway that has stored their originals, which changes no table.
fn send(sent: &[(Class, &Golden, TestRequest)], seed: u64) {
    let Some((_, first, _)) = sent.first() else { return };
    let gateway = gateway(&first.case, Backend::Sqlite);
    for (_, golden, _) in sent {
        golden.request.send_to(&gateway);
    }
    let before = gateway.row_counts();
    for (class, golden, request) in sent {
        let status = request.send_to(&gateway).status;
        let is_answer = if *class == Class::Same { status < 500 } else { [200, 400, 401, 404, 405, 413, 503].contains(&status) };
        assert!(is_answer, "response {status}; FORGERY_SEED={seed}\n{}", shown(golden, request));
        assert_eq!(gateway.row_counts(), before, "a table is changed; FORGERY_SEED={seed}\n{}", shown(golden, request));
    }
}

/// Returns true if a client can send the request as it is.
fn can_be_sent(TestRequest { method, target, headers, .. }: &TestRequest) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let is_value = |value: &str| {
        value == value.trim() && !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    let is_header = |(name, value): &(String, String)| is_name(name) && is_value(value);
    method.bytes().all(|byte| byte.is_ascii_uppercase())
        && target.starts_with('/')
        && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/?&=%+-_.~:@,;'".contains(&byte))
        && headers.iter().all(is_header)
}

pub(crate) fn trials() -> Vec<Trial> {
    // A client's address is no credential: tests of forwarded addresses are in `limits`.
    let schemes = providers::ALL.iter().flat_map(|spec| spec.schemes.iter().map(|scheme| (spec.name, scheme.name)));
    let trial = |(provider, scheme): (&'static str, &'static str)| {
        timing::trial(format!("forgeries {provider} {scheme} are rejected"), move || no_forgery_is_accepted(provider, scheme))
    };
    schemes.filter(|(_, scheme)| *scheme != "ip").map(trial).chain(teeth::trials()).collect()
}
