//! The recorded requests, and the classes of their mutants.

use std::{collections::BTreeMap, sync::LazyLock};

use waybill::fixture::Fixture;

use super::{
    judge::{Accepted, Judge},
    reference::{self, Account, Claim, Key, Parts},
};
use crate::{
    case::{TestRequest, cases, is_verified, now, path, scheme, variables},
    proof::{Place, places},
    support::gateway::PUBLIC_URL,
};

/// A recorded request.
pub(super) struct Golden {
    pub(super) case: Fixture,
    pub(super) request: TestRequest,
    pub(super) scheme: &'static str,
    pub(super) covers_payload: bool,
    pub(super) places: Vec<Place>,
    pub(super) keys: Vec<Key>,
    /// The same request with the proof of another account.
    pub(super) by_other: Option<TestRequest>,
}

/// The recorded requests of one scheme to one configuration, and all that it accepts of the others.
pub(super) struct Group {
    pub(super) judge: Judge,
    pub(super) goldens: Vec<Golden>,
    /// The claims of recorded requests, and what they lead to. By two schemes of one key a request makes the same claim.
    pub(super) known: BTreeMap<Claim, Accepted>,
}

/// A class of mutants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Rejected,
    Same,
    NotParsed,
    NotCovered,
    Forged,
}

impl Group {
    fn account(&self) -> Account<'_> {
        let case = &self.goldens[0].case;
        Account { provider: case.spec.name, settings: &case.request.settings, origin: PUBLIC_URL }
    }

    pub(super) fn claims(&self, scheme: &str, request: &TestRequest) -> Vec<Claim> {
        let parts = Parts { target: &request.target, headers: &request.headers, body: &request.body };
        self.account().claims(scheme, &parts)
    }

    /// The instant of the requests.
    pub(super) fn seconds(&self) -> i64 {
        now(&self.goldens[0].case).seconds()
    }

    /// The account that a token names.
    pub(super) fn api_key(&self) -> String {
        self.goldens[0].case.request.settings.get("API_KEY").cloned().unwrap_or_else(|| "abcd1234".to_owned())
    }

    /// The claims of a request that its scheme's key gives.
    fn proven(&self, scheme: &str, keys: &[Key], request: &TestRequest) -> Vec<Claim> {
        let is_given = |claim: &Claim, key: &Key| match scheme {
            "basic" | "url-secret" | "url-token" => claim.digest == key.bytes,
            _ => claim.digest == key.algorithm.digest(&key.bytes, &claim.signed),
        };
        self.claims(scheme, request).into_iter().filter(|claim| keys.iter().any(|key| is_given(claim, key))).collect()
    }

    /// The claims of a recorded request by every scheme, each with the outcome, if this configuration accepts it.
    fn accepted_claims(&self, request: &TestRequest) -> Vec<(Claim, Accepted)> {
        let Some(accepted) = self.judge.accept(request) else { return Vec::new() };
        let case = &self.goldens[0].case;
        let schemes = case.spec.schemes.iter().map(|scheme| scheme.name).filter(|name| *name != "ip");
        let claims = schemes.flat_map(|scheme| {
            let keys = reference::keys(case.spec.name, scheme, &case.request.settings);
            self.proven(scheme, &keys, request)
        });
        claims.map(|claim| (claim, accepted.clone())).collect()
    }

    /// Asserts that the reference reads every recorded request as Waybill does.
    fn assert_known(&self) {
        for Golden { case, request, .. } in &self.goldens {
            let class = self.class(request, self.judge.accept(request).as_ref());
            assert!(matches!(class, Class::Same | Class::NotCovered), "{}/{} is {class:?}", case.spec.name, case.name);
        }
    }

    pub(super) fn class(&self, request: &TestRequest, accepted: Option<&Accepted>) -> Class {
        let Some(accepted) = accepted else { return Class::Rejected };
        let claims = self.claims(accepted.scheme, request);
        let is_recut =
            |claim: &Claim| self.known.keys().any(|known| (&known.digest, &known.signed) == (&claim.digest, &claim.signed));
        match claims.iter().find_map(|claim| self.known.get(claim)) {
            Some(_) if !accepted.covers_payload => Class::NotCovered,
            Some(known) if known.is_same(accepted) => Class::Same,
            _ if !accepted.is_parsed && claims.iter().any(is_recut) => Class::NotParsed,
            _ => Class::Forged,
        }
    }
}

/// Read once for all schemes.
static CASES: LazyLock<Vec<Fixture>> = LazyLock::new(cases);

/// The groups of a scheme of a provider.
pub(super) fn groups(provider: &str, wanted: &str) -> Vec<Group> {
    let mut by_settings: BTreeMap<_, Vec<Fixture>> = BTreeMap::new();
    let is_wanted = |case: &&Fixture| is_verified(case) && case.spec.name == provider && scheme(case).name == wanted;
    for case in CASES.iter().filter(is_wanted) {
        by_settings.entry((&case.request.settings, &case.request.now)).or_default().push(case.clone());
    }
    let mut groups: Vec<Group> = by_settings.into_values().map(group).collect();
    let all: Vec<TestRequest> =
        groups.iter().flat_map(|group| group.goldens.iter().map(|golden| golden.request.clone())).collect();
    for group in &mut groups {
        group.known = all.iter().flat_map(|request| group.accepted_claims(request)).collect();
        group.assert_known();
    }
    groups
}

fn group(cases: Vec<Fixture>) -> Group {
    let judge = Judge::new(variables(&cases[0]), PUBLIC_URL, now(&cases[0]));
    let golden = |case: Fixture| {
        let (endpoint, scheme) = (judge.endpoint(&path(&case)), scheme(&case));
        let request: TestRequest = case.outgoing(endpoint, now(&case)).into();
        let by_other = || {
            let mut outgoing = case.unsigned(endpoint, now(&case));
            judge.endpoint(&format!("{}/other", path(&case))).sign(scheme, &mut outgoing);
            outgoing.into()
        };
        Golden {
            scheme: scheme.name,
            covers_payload: scheme.covers_payload,
            places: places(&case, &request),
            keys: reference::keys(case.spec.name, scheme.name, &case.request.settings),
            by_other: case.request.sign.is_some().then(by_other),
            request,
            case,
        }
    };
    let goldens = cases.into_iter().map(golden).collect();
    Group { judge, goldens, known: BTreeMap::new() }
}
